// SPDX-License-Identifier: Apache-2.0
import { completeThrough } from "../../domain/rules/freshness";
import { earliestLiveMark } from "../../domain/rules/low-watermark";
import type { Ledger, LogProgress } from "../ports";

/**
 * An archiver that has not reported for this long counts as behind. Archivers report about once a second.
 */
const SILENT_AFTER_MS = 15_000;
const REMEMBERED_MS = 500;

/**
 * How far the events of a shared log are archived and counted, read from the ledger, in which the archivers keep the
 * low watermark (low-watermark.ts). Freshness, the audit's horizon and the claim check use it.
 */
export class LedgerProgress implements LogProgress {
  private remembered: { atMs: number; value: Promise<number> } | undefined;

  constructor(
    private readonly ledger: Pick<Ledger, "books" | "archiveReaders" | "completeThroughMs">,
    private readonly options: { clock: () => number },
  ) {}

  async behind(): Promise<boolean> {
    const nowMs = this.options.clock();
    const throughMs = earliestLiveMark(await this.ledger.archiveReaders(), nowMs);
    return throughMs === undefined || throughMs < nowMs - SILENT_AFTER_MS;
  }

  async accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const rows = await this.ledger.books(fromMinute, toMinute);
    return new Map(
      rows
        .map(({ minute, accepted, backfilled }): [number, number] => [minute, accepted - backfilled])
        .filter(([, accepted]) => accepted > 0),
    );
  }

  async archivedThroughMs(nowMs: number): Promise<number> {
    return completeThrough(nowMs, earliestLiveMark(await this.ledger.archiveReaders(), nowMs) ?? 0);
  }

  /** Reads the ledger at most twice a second, because every answer with counts asks for it. */
  completeThroughMs(nowMs: number): Promise<number> {
    const at = performance.now();
    if (this.remembered === undefined || at - this.remembered.atMs > REMEMBERED_MS) {
      const value = this.ledger.completeThroughMs().then((timeMs) => timeMs ?? 0);
      this.remembered = { atMs: at, value };
      value.catch(() => {
        this.remembered = undefined;
      });
    }
    return this.remembered.value.then((timeMs) => completeThrough(nowMs, timeMs));
  }
}
