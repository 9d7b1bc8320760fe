// SPDX-License-Identifier: Apache-2.0
import { completeThrough } from "../../domain/rules/freshness";
import { earliestLiveMark } from "../../domain/rules/low-watermark";
import type { Ledger, LogProgress } from "../ports";

/**
 * The time without a report after which an archiver counts as behind, or gone. Archivers report about once a second.
 */
const SILENT_AFTER_MS = 15_000;
const REMEMBERED_MS = 500;

/**
 * The progress of a shared log's events by its ledger, in which the archivers keep the low watermark
 * (low-watermark.ts). Freshness and the audit's horizon are told from it where the log is shared.
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

  /** Reads the ledger at most twice a second, because every read of a counter asks. */
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
