// SPDX-License-Identifier: Apache-2.0
/**
 * All reads of counters.sqlite, over a given connection (the writer's own or a read-only one). They are synchronous: a
 * caller that must stay responsive runs the heavy ones in a thread (reader-thread.ts). The counter store and the thread
 * that reads for the service answer with it.
 */

import type { DatabaseSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { addTo, latestSumOf, NO_SUMS, type Sums } from "../../domain/rules/cell-sums";
import { dayOf, hourOf, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Cell, Granularity, LevelSums, Total, VideoCount, VideoGrowth } from "../ports";
import { BlockNames } from "./block-names";
import {
  BlockReader,
  BUCKETS,
  bucketOf,
  bucketOfRow,
  MAX_TIME,
  rowId,
  rowName,
  TIMES_AT_ONCE,
  UNIT_MS,
} from "./block-tables";
import {
  Block,
  COUNT,
  DamagedBlockError,
  decodeBlock,
  KEY,
  LAST,
  LOW,
  MID,
  REVISION,
  scanVideo,
  sumOf,
  TOP,
  VALUED,
  VIDEOS_A_BLOCK,
  WIDTH,
} from "./cell-block";
import { onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE } from "./counter-file";
import { KeptBlocks } from "./kept-blocks";
import { KeptCells, type TimeRange } from "./kept-cells";
import { KeptPieces } from "./kept-pieces";
import { LevelReader } from "./level-sums";
import { MinuteCellReader } from "./minute-cell-reader";
import { NameDictionary } from "./name-dictionary";
import { unfoldedSums } from "./open-hours";
import { TierGuard } from "./tier-guard";
import { TopVideos } from "./top-videos";

const CACHED_VIDEOS = 50_000;
/** A read of fewer times looks each of them up, rather than the levels above. */
const LEAST_TIMES = 8;
/** Buckets a scan reads at a time: no read transaction is held between two of them. */
const BUCKETS_A_PAGE = 64;

type Named = { videoId: string; eventType: string };
/** A video and type's place: its bucket, its place in the bucket, and its key there. */
type Place = { bucket: number; inside: number; key: number };

export class CounterReads {
  readonly #videos: NameDictionary;
  readonly #types: NameDictionary;
  readonly #names: BlockNames;
  readonly #blocks: BlockReader;
  /** The rows that `read` reads. */
  readonly #ofVideos: BlockReader;
  readonly #minutes: MinuteCellReader;
  readonly #top: TopVideos;
  readonly #levels: LevelReader;
  readonly #tiers: TierGuard;
  readonly #kept: KeptCells | undefined;

  /**
   * `keptBytes`: of the cells and rows that are kept in memory for `read`. `keepsRankings`: days are kept for `top` and
   * `rising`. Both only for a connection that does not write.
   */
  constructor(
    private readonly db: DatabaseSync,
    { keptBytes = 0, keepsRankings = false } = {},
  ) {
    this.#kept = keptBytes > 0 ? new KeptCells(db, keptBytes / 2) : undefined;
    this.#videos = new NameDictionary(db, "videos", CACHED_VIDEOS);
    this.#types = new NameDictionary(db, "types", 1000);
    this.#names = new BlockNames(db);
    this.#blocks = new BlockReader(db);
    this.#ofVideos = this.#kept === undefined ? this.#blocks : new KeptBlocks(db, this.#kept, keptBytes / 2);
    this.#tiers = new TierGuard(db);
    this.#minutes = new MinuteCellReader(db, this.#blocks, this.#names, this.#tiers);
    this.#top = new TopVideos(db, this.#blocks, this.#names, keepsRankings ? new KeptPieces(db) : undefined);
    this.#levels = new LevelReader(db, this.#blocks, this.#names);
  }

  totals(videoId: string): Map<string, Total> {
    return orUnavailable(COUNTERS_FILE, () => {
      const video = this.#videos.known(videoId);
      if (video === undefined) return new Map();
      const totals = this.#totalsOf(bucketOf(video), video % VIDEOS_A_BLOCK);
      return new Map([...totals].sort(([a], [b]) => (a < b ? -1 : 1)));
    });
  }

  #totalsOf(bucket: number, inside: number): Map<string, Total> {
    const totals = new Map<string, Total>();
    for (const [level, bytes] of this.#blocks.totalRows(bucket)) {
      const where = () => rowName(level, rowId(0, bucket));
      scanVideo(bytes, where, inside, 0, (cell) => {
        if (cell[COUNT]! <= 0) return false;
        const type = this.#names.type(Math.floor(cell[KEY]! / VIDEOS_A_BLOCK));
        const own = { ...sums(cell, 0), lastEventAtMs: cell[LAST]! };
        const known = totals.get(type);
        totals.set(type, latestSumOf(known, own));
        return false;
      });
    }
    return totals;
  }

  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Cell[] {
    return orUnavailable(COUNTERS_FILE, () => {
      const video = this.#videos.known(videoId);
      const type = this.#types.known(eventType);
      if (video === undefined || type === undefined) return [];
      const inside = video % VIDEOS_A_BLOCK;
      const place = { bucket: bucketOf(video), inside, key: type * VIDEOS_A_BLOCK + inside };
      const from = Math.max(Math.ceil(startMs / UNIT_MS[granularity]), 1 - MAX_TIME);
      const to = Math.min(Math.ceil(endMs / UNIT_MS[granularity]), MAX_TIME);
      const range = { level: granularity, key: seriesOf(place), from, to };
      return (
        this.#kept?.now(range) ??
        onSnapshot(this.db, () => {
          this.#tiers.begin();
          this.#kept?.look(this.#tiers.version);
          const hidden = this.#tiers.hidden(granularity);
          const stored = (first: number, end: number) => this.#cellsOf(granularity, place, first, end);
          if (hidden !== undefined)
            return [...stored(from, Math.min(to, hidden.from)), ...stored(Math.max(from, hidden.to), to)];
          if (this.#kept === undefined) return stored(from, to);
          return this.#kept.read(range, (first, end) => this.#likelyCells(range, place, first, end));
        })
      );
    });
  }

  top(eventType: string, startMs: number, endMs: number, limit: number): VideoCount[] {
    return orUnavailable(COUNTERS_FILE, () =>
      onSnapshot(this.db, () => {
        const type = this.#types.known(eventType);
        if (type === undefined || limit <= 0) return [];
        return this.#top.largest(type, minutesOf(startMs, endMs), limit);
      }),
    );
  }

  rising(eventType: string, startMs: number, endMs: number, limit: number): VideoGrowth[] {
    return orUnavailable(COUNTERS_FILE, () =>
      onSnapshot(this.db, () => {
        const type = this.#types.known(eventType);
        if (type === undefined || limit <= 0) return [];
        const range = minutesOf(startMs, endMs);
        const before = { from: range.from - (range.to - range.from), to: range.from };
        return this.#top.rising(type, range, before, limit);
      }),
    );
  }

  videoIds(text: string, afterId: string, limit: number): string[] {
    return orUnavailable(COUNTERS_FILE, () => this.#names.videosFrom(text, afterId, limit));
  }

  videosSeen(after: number, limit: number): { videoIds: string[]; last: number } {
    return orUnavailable(COUNTERS_FILE, () => this.#names.seenAfter(after, limit));
  }

  /** Hours of [fromHour, toHour) that have minute cells. */
  async *storedHours(fromHour: number, toHour: number): AsyncGenerator<number, void, undefined> {
    for (let hour = fromHour; ; hour++) {
      const next = orUnavailable(COUNTERS_FILE, () =>
        this.#blocks.nextTime("minute", hour * MINUTES_AN_HOUR, toHour * MINUTES_AN_HOUR),
      );
      if (next === undefined) return;
      hour = hourOf(next);
      yield hour;
    }
  }

  async *levels(videoIds: readonly string[], hour: number): AsyncGenerator<LevelSums, void, undefined> {
    yield* this.#levels.levels(videoIds, hour);
  }

  async *totalLevels(): AsyncGenerator<LevelSums, void, undefined> {
    yield* this.#levels.totals();
  }

  minuteCells(fromMinute: number, toMinute: number): AsyncIterable<MinuteCounts> {
    return this.#minutes.read(fromMinute, toMinute);
  }

  async *derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncGenerator<Named & Cell, void, undefined> {
    const unitMs = UNIT_MS[granularity];
    const to = Math.min(Math.ceil(endMs / unitMs), MAX_TIME);
    let from = Math.max(Math.ceil(startMs / unitMs), 1 - MAX_TIME);
    for (;;) {
      const time = this.#snapshot(() => this.#nextListed(granularity, from, to));
      if (time === undefined) return;
      for (let bucket: number | undefined = 0; bucket !== undefined; ) {
        const first: number = bucket;
        const page = this.#snapshot(() => this.#page(granularity, time, first));
        for (const [its, block] of page.blocks) yield* this.#named(block, its, time * unitMs);
        bucket = page.next;
      }
      from = time + 1;
    }
  }

  async *allTotals(): AsyncGenerator<Named & Total, void, undefined> {
    for (let from: number | undefined = 0; from !== undefined; ) {
      const first: number = from;
      const page = this.#snapshot(() => this.#totalsPage(first));
      for (const [bucket, block] of page.blocks) {
        for (let at = 0; at < block.cells * WIDTH; at += WIDTH) {
          if (block.data[at + COUNT] === 0) continue;
          const total = { ...sums(block.data, at), lastEventAtMs: block.data[at + LAST]! };
          yield { ...this.#name(bucket, block.data[at + KEY]!), ...total };
        }
      }
      from = page.next;
    }
  }

  #totalsPage(fromBucket: number): { blocks: Map<number, Block>; next: number | undefined } {
    const ids = [this.#blocks.next("total", 0, 1, fromBucket), this.#blocks.next("recent", 0, 1, fromBucket)];
    const stored = ids.filter((id) => id !== undefined);
    const blocks = new Map<number, Block>();
    if (stored.length === 0) return { blocks, next: undefined };
    const [first, to] = [Math.min(...stored), Math.min(...stored) + BUCKETS_A_PAGE];
    for (const level of ["total", "recent"] as const) {
      for (const [bucket, bytes] of this.#blocks.rows(level, 0, first, to)) {
        const block = decodeBlock(bytes, new Block(), () => rowName(level, bucket));
        const known = blocks.get(bucket);
        if (known === undefined) blocks.set(bucket, block);
        else known.add(block, 0);
      }
    }
    return { blocks, next: to };
  }

  #snapshot<T>(work: () => T): T {
    return orUnavailable(COUNTERS_FILE, () => onSnapshot(this.db, work));
  }

  /**
   * As #cellsOf, without looking where the levels above say that no cell is: most videos are counted seldom. No cell is
   * later than the total's last event, and none is on a day without a count: the cells of days and totals stay in the
   * store for ever.
   */
  #likelyCells({ level, key }: TimeRange, place: Place, from: number, to: number): Cell[] {
    if (to - from < LEAST_TIMES) return this.#cellsOf(level, place, from, to);
    const end = Math.min(to, this.#timeAfterLast(level, place));
    const timesADay = UNIT_MS.day / UNIT_MS[level];
    if (level === "day" || end - from < timesADay / 2) return this.#cellsOf(level, place, from, end);
    const days = { level: "day", key, from: Math.floor(from / timesADay), to: Math.ceil(end / timesADay) } as const;
    const counted = unlessDamaged(() =>
      this.#kept!.read(days, (first, last) => this.#cellsOf("day", place, first, last)),
    );
    if (counted === undefined) return this.#cellsOf(level, place, from, end);
    const pieces: { from: number; to: number }[] = [];
    for (const { startMs } of counted) {
      const first = startMs / UNIT_MS[level];
      const last = pieces.at(-1);
      if (last?.to === first) last.to = first + timesADay;
      else pieces.push({ from: first, to: first + timesADay });
    }
    return pieces.flatMap((piece) => this.#cellsOf(level, place, Math.max(from, piece.from), Math.min(end, piece.to)));
  }

  /** Returns the first time after the last event; -Infinity where there was none. */
  #timeAfterLast(level: Granularity, { bucket, inside, key }: Place): number {
    const type = (key - inside) / VIDEOS_A_BLOCK;
    const lastMs = unlessDamaged(() => {
      let last = Number.NEGATIVE_INFINITY;
      for (const [name, bytes] of this.#blocks.totalRows(bucket)) {
        scanVideo(
          bytes,
          () => rowName(name, rowId(0, bucket)),
          inside,
          type,
          (cell) => {
            if (cell[KEY] === key && cell[COUNT]! > 0) last = Math.max(last, cell[LAST]!);
            return true;
          },
        );
      }
      return last;
    });
    return lastMs === undefined ? MAX_TIME : Math.floor(lastMs / UNIT_MS[level]) + 1;
  }

  #cellsOf(granularity: Granularity, place: Place, from: number, to: number): Cell[] {
    const open = granularity === "minute" ? new Map<number, number>() : this.#blocks.openHours();
    const cells: Cell[] = [];
    for (let time = from; time < to; ) {
      const end = Math.min(time + TIMES_AT_ONCE, to);
      const rows = this.#ofVideos.run(granularity, time, end, place.bucket);
      if (rows.size === 0) {
        // Over a gap (or a range that begins in 1970) one look-up finds where anything is stored at all.
        const isMinute = granularity === "minute";
        const next = isMinute ? this.#blocks.nextTime("minute", time, to) : this.#nextDerived(granularity, time, to);
        if (next === undefined) break;
        if (next >= end) {
          time = next;
          continue;
        }
      }
      for (; time < end; time++) {
        const cell = this.#cell(granularity, place, time, open, rows.get(rowId(time, place.bucket)));
        if (cell !== undefined) cells.push(cell);
      }
    }
    return cells;
  }

  #cell(
    granularity: Granularity,
    place: Place,
    time: number,
    open: ReadonlyMap<number, number>,
    bytes: Uint8Array | undefined,
  ): Cell | undefined {
    let found: Cell | undefined;
    const startMs = time * UNIT_MS[granularity];
    if (bytes !== undefined) {
      const where = () => rowName(granularity, rowId(time, place.bucket));
      const type = (place.key - place.inside) / VIDEOS_A_BLOCK;
      scanVideo(bytes, where, place.inside, type, (cell) => {
        if (cell[KEY] === place.key && cell[COUNT]! > 0) {
          const sum = sumOf(cell[LOW]!, cell[MID]!, cell[TOP]!);
          found = { startMs, count: cell[COUNT]!, sum, valued: cell[VALUED]!, revision: cell[REVISION]! };
        }
        return true;
      });
    }
    if (granularity === "hour" && bytes === undefined) return this.#unfolded(time, place, startMs, open, found);
    if (granularity !== "day") return found;
    for (const hour of open.keys()) {
      if (dayOf(hour) === time) found = this.#unfolded(hour, place, startMs, open, found);
    }
    return found;
  }

  /** `cell` and what an open hour has beside it. */
  #unfolded(
    hour: number,
    place: Place,
    startMs: number,
    open: ReadonlyMap<number, number>,
    cell: Cell | undefined,
  ): Cell | undefined {
    const { bucket } = place;
    const next = open.get(hour);
    if (next === undefined || bucket < next || this.#blocks.bytes("hour", hour, bucket) !== undefined) return cell;
    const more = this.#sumOfMinutes(hour, place);
    if (more === undefined) return cell;
    if (cell === undefined) return { startMs, ...more, revision: 0 };
    const { count, sum, valued, revision } = cell;
    return { startMs, count: count + more.count, sum: sum + more.sum, valued: valued + more.valued, revision };
  }

  /** Of kept minutes those alone are read that a writer has changed: an open hour changes with each transaction. */
  #sumOfMinutes(hour: number, place: Place): Sums | undefined {
    const [from, to] = [hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR];
    const stored = (first: number, end: number) => this.#cellsOf("minute", place, first, end);
    const range = { level: "minute" as const, key: seriesOf(place), from, to };
    const cells = this.#kept === undefined ? stored(from, to) : this.#kept.read(range, stored);
    if (cells.length === 0) return undefined;
    const whole: Sums = { ...NO_SUMS };
    for (const cell of cells) addTo(whole, cell);
    return whole;
  }

  /** Works as #nextDerived, and skips times that are in roll-ups already. */
  #nextListed(granularity: "hour" | "day", from: number, to: number): number | undefined {
    this.#tiers.begin();
    const hidden = this.#tiers.hidden(granularity);
    const next = this.#nextDerived(granularity, from, to);
    if (hidden === undefined || next === undefined || next < hidden.from || next >= hidden.to) return next;
    return this.#nextDerived(granularity, Math.max(from, hidden.to), to);
  }

  /** The next hour or day of [from, to) that has rows, or minutes of an open hour. */
  #nextDerived(granularity: "hour" | "day", from: number, to: number): number | undefined {
    let next = this.#blocks.nextTime(granularity, from, to);
    for (const hour of this.#blocks.openHours().keys()) {
      const time = granularity === "hour" ? hour : dayOf(hour);
      if (time >= from && time < to && (next === undefined || time < next)) next = time;
    }
    return next;
  }

  /** Blocks of one hour or day, with what its open hours add; `next`: where to go on. */
  #page(
    granularity: "hour" | "day",
    time: number,
    fromBucket: number,
  ): { blocks: [bucket: number, block: Block][]; next: number | undefined } {
    const open = [...this.#blocks.openHours()].filter(
      ([hour]) => (granularity === "hour" ? hour : dayOf(hour)) === time,
    );
    const first = this.#firstBucket(granularity, time, fromBucket, open);
    if (first === undefined) return { blocks: [], next: undefined };
    const to = Math.min(first + BUCKETS_A_PAGE, BUCKETS);
    const blocks = new Map<number, Block>();
    for (const [id, bytes] of this.#blocks.rows(granularity, time, first, to)) {
      blocks.set(
        bucketOfRow(id),
        decodeBlock(bytes, new Block(), () => rowName(granularity, id)),
      );
    }
    for (const [hour, unfoldedFrom] of open) {
      const { sums: more } = unfoldedSums(this.#blocks, hour, Math.max(first, unfoldedFrom), to);
      for (const [bucket, block] of more) {
        const known = blocks.get(bucket);
        if (known === undefined) blocks.set(bucket, block);
        else known.add(block, 0);
      }
    }
    return { blocks: [...blocks].sort(([a], [b]) => a - b), next: to < BUCKETS ? to : undefined };
  }

  #firstBucket(
    granularity: "hour" | "day",
    time: number,
    fromBucket: number,
    open: readonly [hour: number, unfoldedFrom: number][],
  ): number | undefined {
    const ids = [this.#blocks.next(granularity, time, time + 1, fromBucket)];
    for (const [hour, unfoldedFrom] of open) {
      for (let minute = hour * MINUTES_AN_HOUR; minute < hour * MINUTES_AN_HOUR + MINUTES_AN_HOUR; minute++) {
        ids.push(this.#blocks.next("minute", minute, minute + 1, Math.max(fromBucket, unfoldedFrom)));
      }
    }
    const buckets = ids.filter((id) => id !== undefined).map(bucketOfRow);
    return buckets.length === 0 ? undefined : Math.min(...buckets);
  }

  *#named(block: Block, bucket: number, startMs: number): Generator<Named & Cell> {
    for (let at = 0; at < block.cells * WIDTH; at += WIDTH) {
      if (block.data[at + COUNT] === 0) continue;
      const cell = { startMs, ...sums(block.data, at), revision: block.data[at + REVISION]! };
      yield { ...this.#name(bucket, block.data[at + KEY]!), ...cell };
    }
  }

  #name(bucket: number, key: number): Named {
    const inside = key % VIDEOS_A_BLOCK;
    return {
      videoId: this.#names.video(bucket * VIDEOS_A_BLOCK + inside),
      eventType: this.#names.type((key - inside) / VIDEOS_A_BLOCK),
    };
  }
}

/** A name of the video and type. */
const seriesOf = ({ bucket, key }: Place): string => `${bucket} ${key}`;

/** A read must not end at a damaged row that it can do without. */
function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedBlockError) return undefined;
    throw error;
  }
}

const minutesOf = (startMs: number, endMs: number) => ({
  from: Math.floor(startMs / MINUTE_MS),
  to: Math.ceil(endMs / MINUTE_MS),
});

function sums(data: Float64Array, at: number): { count: number; sum: bigint; valued: number } {
  const sum = sumOf(data[at + LOW]!, data[at + MID]!, data[at + TOP]!);
  return { count: data[at + COUNT]!, sum, valued: data[at + VALUED]! };
}
