// SPDX-License-Identifier: Apache-2.0
import { isArchiveCounted } from "../../domain/rules/books";
import { completeThrough } from "../../domain/rules/freshness";
import type { EmbeddedLedger, EmbeddedLog, Ledger, ListedOpenMinute, LogProgress } from "../ports";

const MINUTES_AT_ONCE = 64;

/**
 * The progress of events by the embedded log, its stream and the books of backfills. Freshness and the audit's horizon
 * are told from it.
 */
export class SqliteLogProgress implements LogProgress {
  constructor(
    private readonly log: Pick<EmbeddedLog, "firstAfter" | "accepted">,
    private readonly checkpoints: Pick<EmbeddedLedger, "countedThrough" | "checkpoint" | "pending" | "deferred">,
    private readonly ledger: Pick<Ledger, "openMinutes" | "closeMinutes" | "books">,
  ) {}

  async behind(): Promise<boolean> {
    return (await this.firstUncounted()) !== undefined;
  }

  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    return this.log.accepted(fromMinute, toMinute);
  }

  /** Events are archived and counted in one pass. */
  async archivedThroughMs(nowMs: number): Promise<number> {
    return completeThrough(nowMs, (await this.firstUncounted())?.appendedAtMs);
  }

  async completeThroughMs(nowMs: number): Promise<number> {
    const backfilledMs = await this.firstUncountedBackfill();
    return completeThrough(nowMs, (await this.firstUncounted())?.appendedAtMs, backfilledMs);
  }

  private async firstUncounted(): Promise<{ appendedAtMs: number } | undefined> {
    return this.log.firstAfter(await this.checkpoints.countedThrough());
  }

  /**
   * When the first backfilled events were listed that may not be counted: a backfill lists before it counts, and may
   * have been stopped between. Minutes that are counted are closed on the way, so that each is looked at once.
   */
  private async firstUncountedBackfill(): Promise<number | undefined> {
    for (;;) {
      const open = await this.ledger.openMinutes(MINUTES_AT_ONCE);
      const first = open[0];
      if (first === undefined) return undefined;
      const closed: ListedOpenMinute[] = [];
      for (const one of open) {
        if (!(await this.isCounted(one.minute))) break;
        closed.push(one);
      }
      await this.ledger.closeMinutes(closed);
      const held = open[closed.length];
      if (held !== undefined) return held.sinceMs;
      if (open.length < MINUTES_AT_ONCE) return undefined;
    }
  }

  /** By its sums, which tell only while the stream is not at work: it counts first and lists after. */
  private async isCounted(minute: number): Promise<boolean> {
    const before = await this.idleAt();
    if (before === undefined) return false;
    const [books] = await this.ledger.books(minute, minute + 1);
    const counted = books === undefined || isArchiveCounted(books);
    return counted && (await this.idleAt()) === before;
  }

  /** The stream's checkpoint; undefined while a pass is under way or minutes of one are still to be counted. */
  private async idleAt(): Promise<number | undefined> {
    const { checkpoints } = this;
    const checkpoint = await checkpoints.checkpoint();
    const busy = (await checkpoints.pending()) !== undefined || (await checkpoints.deferred()) !== undefined;
    return busy ? undefined : checkpoint;
  }
}
