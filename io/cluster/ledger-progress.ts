import type { Ledger, LogProgress } from "../ports";

export interface LedgerProgressOptions {
  clock: () => number;
  /** Minutes whose books may still be open: the lateness rule's reach, and some. */
  lookbackMinutes: number;
}

const MINUTE_MS = 60_000;
/** Events may be dated ahead of their receipt by this (domain/event.ts). */
const MINUTES_AHEAD = 6;
/** The archiver says every second or so how far it is: one that has not for this long is behind, or gone. */
const SILENT_AFTER_MS = 15_000;
const REMEMBERED_MS = 500;

/**
 * How far the events of a shared log have come, by the books alone: everything appended before the archiver's mark is listed with what its
 * messages declared, and a minute whose books balance is counted. Careful: an open minute holds the answer back to its start.
 */
export class LedgerProgress implements LogProgress {
  private remembered: { atMs: number; value: Promise<number> } | undefined;

  constructor(
    private readonly ledger: Pick<Ledger, "ledger" | "archivedThroughMs">,
    private readonly options: LedgerProgressOptions,
  ) {}

  async behind(): Promise<boolean> {
    return (await this.ledger.archivedThroughMs()) < this.options.clock() - SILENT_AFTER_MS;
  }

  async accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const rows = await this.ledger.ledger(fromMinute, toMinute);
    return new Map(rows.filter(({ accepted }) => accepted > 0).map(({ minute, accepted }) => [minute, accepted]));
  }

  /** Read again at most twice a second: every read of a counter asks. */
  completeThroughMs(nowMs: number): Promise<number> {
    const at = performance.now();
    if (this.remembered === undefined || at - this.remembered.atMs > REMEMBERED_MS) {
      const value = this.readCompleteThrough(nowMs);
      this.remembered = { atMs: at, value };
      value.catch(() => {
        this.remembered = undefined;
      });
    }
    return this.remembered.value.then((timeMs) => Math.min(timeMs, nowMs));
  }

  private async readCompleteThrough(nowMs: number): Promise<number> {
    // First: what is archived later than this is not promised.
    const archivedThroughMs = await this.ledger.archivedThroughMs();
    const nowMinute = Math.floor(nowMs / MINUTE_MS);
    const rows = await this.ledger.ledger(nowMinute - this.options.lookbackMinutes, nowMinute + MINUTES_AHEAD);
    const open = rows.find(
      ({ accepted, backfilled, archived, counted, duplicate, late }) =>
        accepted + backfilled !== archived || archived !== counted + duplicate + late,
    );
    return Math.min(archivedThroughMs, open === undefined ? nowMs : open.minute * MINUTE_MS);
  }
}
