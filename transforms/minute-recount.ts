// SPDX-License-Identifier: Apache-2.0
/**
 * The recount of one part of one minute, which is the core of the audit: objects go in row by row, and cells, books and
 * ids come out. recount-minutes.ts feeds it.
 */
import { isLate, NO_LATENESS } from "../domain/rules/lateness";
import { MINUTE_MS } from "../domain/rules/time";
import { type ArchiveRow, readArchiveRows } from "./archive-rows";
import { ByteTable, hashOf } from "./byte-table";
import type { CellColumns } from "./cell-columns";
import { hashOfWords, readUuid, wordSeeds } from "./id-words";
import { CellSums, cellsByPart, PairTable } from "./recounted-cells";
import { RecountedIds } from "./recounted-ids";

/** A part of a minute's ids: the ids whose hash with `seed` leaves `part` when divided by `of`. */
export interface IdPart {
  part: number;
  of: number;
  seed: number;
}

export interface Recount {
  /** Events of the part, repeats included. */
  events: number;
  distinct: number;
  /**
   * Events that the stream sets aside: distinct events of which no repeat was received in time, and all other events.
   */
  lateCounted: number;
  lateDuplicate: number;
  /** Events that the stream never sees: distinct events of which it sees no repeat, and all other events. */
  backfillCounted: number;
  backfillDuplicate: number;
}

/**
 * The origin of an object's events. Events of the log: the stream sets aside those received more than `lateAfterMs`
 * after their time (NO_LATENESS: none). Events of a backfill: the stream never sees them.
 */
export type Origin = { lateAfterMs: number } | "backfill";

const WHOLE: IdPart = { part: 0, of: 1, seed: 0 };

const LEAST_FIRST_EVENTS = 16;
const MOST_FIRST_EVENTS = 1_024;
/** Rows that are made room for at most before they come: a plan may be wrong. */
const MOST_EXPECTED_EVENTS = 2 ** 23;
const IN_TIME: Origin = { lateAfterMs: NO_LATENESS };
/** The ways by which an event arrives, in ascending order of precedence. */
const BACKFILLED = 0;
const LATE = 1;
const STREAMED = 2;

const words = new Uint32Array(4);

function cameBy({ receivedAtMs, eventTimeMs }: ArchiveRow, origin: Origin): number {
  if (origin === "backfill") return BACKFILLED;
  return isLate(eventTimeMs, receivedAtMs, origin.lateAfterMs) ? LATE : STREAMED;
}

/**
 * The audit's own way to count a minute, on purpose unlike the stream's: it reads the plain rows with its own decoder,
 * tells ids apart by all their bytes, and keeps one row per event. It shares no decoding, dedup or counting code with
 * the stream, so that a mistake there cannot hide here.
 */
export class MinuteRecount {
  private events = 0;
  private late = 0;
  private backfilled = 0;
  private readonly names: PairTable;
  private readonly sums: CellSums;
  /** Ids that are written as UUIDs. */
  private readonly uuids: RecountedIds;
  /** All other ids, by their numbers in `texts`. */
  private readonly others: RecountedIds;
  private readonly texts: ByteTable;

  constructor(
    private readonly minute: number,
    private readonly ofIds: IdPart = WHOLE,
    /** The approximate number of events: a table for many events costs more than a minute with few. */
    expectedEvents = MOST_FIRST_EVENTS,
  ) {
    const size = Math.min(
      MOST_FIRST_EVENTS,
      Math.max(LEAST_FIRST_EVENTS, 2 ** Math.ceil(Math.log2(expectedEvents + 1))),
    );
    this.names = new PairTable(ofIds.seed, size);
    this.sums = new CellSums(size);
    this.uuids = new RecountedIds(ofIds.seed, Math.min(expectedEvents, MOST_EXPECTED_EVENTS));
    this.others = new RecountedIds(ofIds.seed, 0);
    this.texts = new ByteTable(ofIds.seed, LEAST_FIRST_EVENTS);
  }

  /**
   * Counts the object's rows that belong to this part. Throws where the object is cut, damaged or holds an event of
   * another minute. Returns the number of all its rows.
   */
  addObject(content: Uint8Array, origin: Origin = IN_TIME): number {
    const { part, of, seed } = this.ofIds;
    return readArchiveRows(content, (row) => {
      if (Math.floor(row.eventTimeMs / MINUTE_MS) !== this.minute)
        throw new Error("an event of another minute is in the object");
      if (of > 1 && (hashOf(row.bytes, row.idFrom, row.idTo, seed) >>> 0) % of !== part) return;
      this.add(row, cameBy(row, origin));
    });
  }

  private add(row: ArchiveRow, by: number): void {
    this.events++;
    if (by === LATE) this.late++;
    else if (by === BACKFILLED) this.backfilled++;
    const pair = this.names.pairOf(row);
    this.sums.seen(pair, row.eventTimeMs % MINUTE_MS);
    if (readUuid(row.bytes, row.idFrom, row.idTo, words)) {
      this.uuids.push(words[0]!, words[1]!, words[2]!, words[3]!, pair, by, row.value);
    } else this.others.push(this.texts.numberOf(row.bytes, row.idFrom, row.idTo), 0, 0, 0, pair, by, row.value);
  }

  /** Tells the events apart. No object can be added afterwards. */
  private get told(): readonly [RecountedIds, RecountedIds] {
    this.uuids.tellApart(this.sums);
    this.others.tellApart(this.sums);
    return [this.uuids, this.others];
  }

  totals(): Recount {
    const { events, late, backfilled } = this;
    let lateCounted = 0;
    let backfillCounted = 0;
    const count = (_a: number, _b: number, _c: number, _d: number, by: number) => {
      if (by === LATE) lateCounted++;
      else if (by === BACKFILLED) backfillCounted++;
    };
    for (const ids of this.told) if (late + backfilled > 0) ids.each(count);
    return {
      events,
      distinct: this.uuids.distinct + this.others.distinct,
      lateCounted,
      lateDuplicate: late - lateCounted,
      backfillCounted,
      backfillDuplicate: backfilled - backfillCounted,
    };
  }

  /** The cells by part of the videos, of which there are `parts`. */
  cells(parts: number, partOf: (videoId: string) => number): Map<number, CellColumns> {
    void this.told;
    return cellsByPart(this.names, this.sums, parts, partOf);
  }

  /** Calls `take` with two 32-bit hashes of the id of every distinct event, as `hashOfId` computes them. */
  eachIdHash(seeds: readonly [number, number], take: (first: number, second: number) => void): void {
    const [uuids, others] = this.told;
    const [first, second] = [wordSeeds(seeds[0]), wordSeeds(seeds[1])];
    uuids.each((a, b, c, d) => {
      take(hashOfWords(first, a, b, c, d), hashOfWords(second, a, b, c, d));
    });
    others.each((text) => {
      take(this.texts.hashOf(text, seeds[0]), this.texts.hashOf(text, seeds[1]));
    });
  }
}
