// SPDX-License-Identifier: Apache-2.0
/**
 * The facts that the recount of a minute needs before it reads the minute's objects, asked for a whole hour at once,
 * because most minutes hold little. The recount (recount-minutes.ts) asks with it.
 */
import { MINUTES_AN_HOUR } from "../domain/rules/time";
import type { Archive, ArchivedObject, ArchiveObject, Ledger, LedgerMinute, LogProgress } from "../io/ports";

export interface MinuteReads {
  /** Events that were accepted through the log. Read first. */
  accepted: number;
  /** The time at which `accepted` had been read. It has no event of a later millisecond. */
  askedAtMs: number;
  /**
   * Every event accepted before this time is archived and listed; after `askedAtMs` where all of `accepted` is. Read
   * before the objects were listed.
   */
  archivedThroughMs: number;
  /** The change sequence, read before the objects were listed: a later change of the minute voids the audit's mark. */
  changeSequence: number;
  /** The objects in the archive. */
  objects: readonly ArchiveObject[];
  /** The objects that the ledger lists. */
  listed: readonly ArchivedObject[];
  books: LedgerMinute | undefined;
}

interface Sources {
  archive: Pick<Archive, "list">;
  ledger: Pick<Ledger, "changeSequences" | "archivedObjects" | "books">;
  progress: Pick<LogProgress, "accepted" | "archivedThroughMs">;
}

/** The number of remembered hours, because units of several hours may reach a worker in turn. */
const MAX_HOURS = 4;
/** How long an hour is remembered. The time is short, because a minute that has changed since is audited again. */
const REMEMBERED_MS = 30_000;

export class HourReads {
  private readonly hours = new Map<number, { readAtMs: number; minutes: Map<number, MinuteReads> }>();

  constructor(private readonly clock: () => number) {}

  /** Returns the reads of a minute from the remembered hour, or reads the hour now. */
  async of(minute: number, sources: Sources): Promise<MinuteReads> {
    const hour = Math.floor(minute / MINUTES_AN_HOUR);
    let known = this.hours.get(hour);
    if (known === undefined || this.clock() - known.readAtMs > REMEMBERED_MS) {
      this.hours.delete(hour);
      const readAtMs = this.clock();
      const from = hour * MINUTES_AN_HOUR;
      known = { readAtMs, minutes: await this.read(from, from + MINUTES_AN_HOUR, sources) };
      this.hours.set(hour, known);
      for (const old of this.hours.keys()) if (this.hours.size > MAX_HOURS) this.hours.delete(old);
    }
    return known.minutes.get(minute)!;
  }

  /** Reads the minute as it is now; `accepted` stays as it was before. */
  async again(minute: number, { accepted, askedAtMs }: MinuteReads, sources: Sources): Promise<MinuteReads> {
    return { ...(await this.read(minute, minute + 1, sources)).get(minute)!, accepted, askedAtMs };
  }

  private async read(
    from: number,
    to: number,
    { archive, ledger, progress }: Sources,
  ): Promise<Map<number, MinuteReads>> {
    const accepted = await progress.accepted(from, to);
    const askedAtMs = this.clock();
    // Events of this very millisecond may be among the accepted ones, so that the answer has to go beyond it.
    const archivedThroughMs = await progress.archivedThroughMs(askedAtMs + 1);
    const sequences = await ledger.changeSequences(from, to);
    const objects = Map.groupBy(await archive.list(from, to), minuteOfRow);
    const listed = Map.groupBy(await ledger.archivedObjects(from, to), minuteOfRow);
    const books = new Map((await ledger.books(from, to)).map((row) => [row.minute, row]));
    const minutes = new Map<number, MinuteReads>();
    for (let minute = from; minute < to; minute++) {
      minutes.set(minute, {
        ...{ accepted: accepted.get(minute) ?? 0, askedAtMs, archivedThroughMs },
        changeSequence: sequences.get(minute) ?? 0,
        ...{ objects: objects.get(minute) ?? [], listed: listed.get(minute) ?? [], books: books.get(minute) },
      });
    }
    return minutes;
  }
}

const minuteOfRow = ({ minute }: { minute: number }): number => minute;
