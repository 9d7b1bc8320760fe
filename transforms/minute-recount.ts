// SPDX-License-Identifier: Apache-2.0
import { isLate, NO_LATENESS } from "../domain/rules/lateness";
import { MINUTE_MS } from "../domain/rules/time";
import { type ArchiveRow, readArchiveRows } from "./archive-rows";
import { ByteTable, grownTo, hashOf } from "./byte-table";
import { CellSums, PairTable } from "./recounted-cells";

/**
 * The audit's own way to count a minute, on purpose unlike the stream's: it reads the plain rows with its own decoder,
 * tells ids apart by all their bytes, and keeps one entry an event. It shares no decoding, dedup or counting code with
 * the stream, so that a mistake there cannot hide here.
 */
export interface RecountedCell {
  videoId: string;
  eventType: string;
  count: number;
  sum: bigint;
  /** Distinct events that have a value. */
  valued: number;
  /** Latest event time, milliseconds within the minute. */
  lastMsInMinute: number;
}

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
const NO_EVENT = 0xffff_ffff;
const IN_TIME: Origin = { lateAfterMs: NO_LATENESS };
/** The ways by which an event arrives, in ascending order of precedence. */
const BACKFILLED = 0;
const LATE = 1;
const STREAMED = 2;

function cameBy({ receivedAtMs, eventTimeMs }: ArchiveRow, origin: Origin): number {
  if (origin === "backfill") return BACKFILLED;
  return isLate(eventTimeMs, receivedAtMs, origin.lateAfterMs) ? LATE : STREAMED;
}

export class MinuteRecount {
  private events = 0;
  private late = 0;
  private backfilled = 0;
  private distinct = 0;
  private readonly ids: ByteTable;
  private readonly names: PairTable;
  private readonly sums: CellSums;
  /**
   * For each id, its first event. For each event: its pair, its largest value (NaN: none has one), the next event of
   * the id, and the best way by which one of its repeats arrived.
   */
  private first: Uint32Array<ArrayBuffer>;
  private pair: Uint32Array<ArrayBuffer>;
  private value: Float64Array<ArrayBuffer>;
  private next: Uint32Array<ArrayBuffer>;
  private seenBy: Uint8Array<ArrayBuffer>;

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
    this.ids = new ByteTable(ofIds.seed, size);
    this.names = new PairTable(ofIds.seed, size);
    this.sums = new CellSums(size);
    this.first = new Uint32Array(size);
    this.pair = new Uint32Array(size);
    this.value = new Float64Array(size);
    this.next = new Uint32Array(size);
    this.seenBy = new Uint8Array(size);
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
    const knownIds = this.ids.size;
    const id = this.ids.numberOf(row.bytes, row.idFrom, row.idTo);
    const isNewId = id === knownIds;
    let event = isNewId ? NO_EVENT : this.first[id]!;
    while (event !== NO_EVENT && this.pair[event] !== pair) event = this.next[event]!;
    if (event === NO_EVENT) event = this.append(id, isNewId, pair);
    if (by > this.seenBy[event]!) this.seenBy[event] = by;
    if (Number.isNaN(row.value)) return;
    const known = this.value[event]!;
    if (row.value <= known) return;
    this.sums.change(pair, Number.isNaN(known) ? 0 : known, row.value, Number.isNaN(known));
    this.value[event] = row.value;
  }

  private append(id: number, isNewId: boolean, pair: number): number {
    const event = this.distinct++;
    if (event === this.pair.length) {
      this.pair = grownTo(this.pair, new Uint32Array(event * 2));
      this.value = grownTo(this.value, new Float64Array(event * 2));
      this.next = grownTo(this.next, new Uint32Array(event * 2));
      this.seenBy = grownTo(this.seenBy, new Uint8Array(event * 2));
    }
    if (id === this.first.length) this.first = grownTo(this.first, new Uint32Array(id * 2));
    this.next[event] = isNewId ? NO_EVENT : this.first[id]!;
    this.first[id] = event;
    this.pair[event] = pair;
    this.value[event] = Number.NaN;
    this.sums.count(pair);
    return event;
  }

  totals(): Recount {
    const { events, distinct, late, backfilled } = this;
    let lateCounted = 0;
    let backfillCounted = 0;
    for (let event = 0; event < distinct; event++) {
      if (this.seenBy[event] === LATE) lateCounted++;
      else if (this.seenBy[event] === BACKFILLED) backfillCounted++;
    }
    const lateDuplicate = late - lateCounted;
    return {
      events,
      distinct,
      lateCounted,
      lateDuplicate,
      backfillCounted,
      backfillDuplicate: backfilled - backfillCounted,
    };
  }

  cells(): RecountedCell[] {
    return Array.from({ length: this.names.size }, (_, pair) => ({
      ...this.names.text(pair),
      ...this.sums.cell(pair),
    }));
  }

  /** Calls `take` with two 32-bit hashes of the id of every distinct event. */
  eachIdHash(seeds: readonly [number, number], take: (first: number, second: number) => void): void {
    for (let id = 0; id < this.ids.size; id++) {
      const first = this.ids.hashOf(id, seeds[0]);
      const second = this.ids.hashOf(id, seeds[1]);
      for (let event = this.first[id]!; event !== NO_EVENT; event = this.next[event]!) take(first, second);
    }
  }
}
