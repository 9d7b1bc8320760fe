// SPDX-License-Identifier: Apache-2.0
/**
 * The ranking index: for each type at each minute, hour and day the largest count of each bucket of 64 videos. It is
 * written with the blocks, in the same transaction, and makes the top of a range fast and exact (top-videos.ts): the
 * sum of a bucket's largest counts over a range bounds the count of each of its videos, so that only the few buckets
 * that can have a video of the answer are read. A number may be too large, where a correction has taken a type's last
 * cell away, and is never too small.
 *
 * A row holds CHUNK_BUCKETS buckets: a byte that says how many bytes a number has (1, 2, 4, or 8: a double) | the
 * numbers, little-endian, without the zeros at the end | CRC-32. Writers of blocks keep it, and rankings read it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { type CellBytes, COUNT, KEY, largestCounts, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";

export const RANKS = `
CREATE TABLE IF NOT EXISTS ranks (
  level INTEGER NOT NULL, type INTEGER NOT NULL, time INTEGER NOT NULL, chunk INTEGER NOT NULL, most BLOB NOT NULL,
  PRIMARY KEY (level, type, time, chunk)
) WITHOUT ROWID;
`;

export type RankedLevel = "minute" | "hour" | "day";
const LEVEL_NUMBERS: Record<RankedLevel, number> = { minute: 0, hour: 1, day: 2 };
export const isRanked = (level: string): level is RankedLevel => Object.hasOwn(LEVEL_NUMBERS, level);

const CHUNK_BUCKETS = 512;
const CRC_BYTES = 4;
/** Types have small numbers, in the order in which they came. */
const MAX_LAST = 256;

/** The upper bounds by bucket. */
export class BucketBounds {
  most = new Float64Array(CHUNK_BUCKETS);

  add(chunk: number, numbers: ArrayLike<number>): void {
    const first = chunk * CHUNK_BUCKETS;
    if (first + numbers.length > this.most.length) {
      const grown = new Float64Array(Math.max(this.most.length * 2, first + Math.max(numbers.length, CHUNK_BUCKETS)));
      grown.set(this.most);
      this.most = grown;
    }
    const { most } = this;
    for (let i = 0; i < numbers.length; i++) most[first + i] = most[first + i]! + numbers[i]!;
  }
}

export class RankReader {
  readonly #range: StatementSync;

  constructor(db: DatabaseSync) {
    this.#range = db.prepare("SELECT chunk, most FROM ranks WHERE level = ? AND type = ? AND time >= ? AND time < ?");
    this.#range.setReturnArrays(true);
  }

  /**
   * Adds the largest counts of a type at times [from, to). A damaged row gives no bound: its buckets are then read
   * whatever they hold.
   */
  addBounds(into: BucketBounds, level: RankedLevel, type: number, from: number, to: number): void {
    const rows = this.#range.iterate(LEVEL_NUMBERS[level], type, from, to) as unknown as Iterable<[number, Uint8Array]>;
    for (const [chunk, bytes] of rows) into.add(chunk, numbersOf(bytes) ?? UNBOUNDED);
  }
}

const UNBOUNDED = new Float64Array(CHUNK_BUCKETS).fill(Number.POSITIVE_INFINITY);

/** The numbers of buckets that `changed`, and of those that are at least as large as before and as in `grown`. */
interface Chunk {
  level: RankedLevel;
  type: number;
  time: number;
  chunk: number;
  changed: Map<number, number>;
  grown: Map<number, number>;
}

/** Collects the largest counts while blocks are written, and writes them with the blocks. */
export class RankWriter {
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  #waiting = new Map<string, Chunk>();
  /** The chunk asked for last, by type: neighbouring buckets are in the same one. */
  #last: (Chunk | undefined)[] = [];

  constructor(
    db: DatabaseSync,
    private readonly largestOf: (level: RankedLevel, type: number, time: number, bucket: number) => number,
  ) {
    this.#get = db.prepare("SELECT most FROM ranks WHERE level = ? AND type = ? AND time = ? AND chunk = ?");
    this.#put = db.prepare("INSERT OR REPLACE INTO ranks VALUES (?, ?, ?, ?, ?)");
  }

  /** Notes a block that is about to be stored. */
  note(level: RankedLevel, time: number, bucket: number, cells: CellBytes): void {
    const chunk = Math.floor(bucket / CHUNK_BUCKETS);
    const inside = bucket - chunk * CHUNK_BUCKETS;
    largestCounts(cells, (type, most) => {
      const { changed, grown } = this.#chunkOf(level, type, time, chunk);
      changed.set(inside, most);
      grown.delete(inside);
    });
  }

  /** Notes cells, given as those of a block, whose counts have grown in a block that is about to be stored. */
  noteGrown(level: RankedLevel, time: number, bucket: number, data: Float64Array, cells: number): void {
    const chunk = Math.floor(bucket / CHUNK_BUCKETS);
    const inside = bucket - chunk * CHUNK_BUCKETS;
    for (let at = 0; at < cells * WIDTH; ) {
      const type = Math.floor(data[at + KEY]! / VIDEOS_A_BLOCK);
      const end = (type + 1) * VIDEOS_A_BLOCK;
      let most = 0;
      for (; at < cells * WIDTH && data[at + KEY]! < end; at += WIDTH)
        if (data[at + COUNT]! > most) most = data[at + COUNT]!;
      const { changed, grown } = this.#chunkOf(level, type, time, chunk);
      const into = changed.has(inside) ? changed : grown;
      if (!(into.get(inside)! >= most)) into.set(inside, most);
    }
  }

  /** Notes a block that cannot be read, and may hold any number of these types. */
  noteUnknown(level: RankedLevel, time: number, bucket: number, types: readonly number[]): void {
    const chunk = Math.floor(bucket / CHUNK_BUCKETS);
    for (const type of types)
      this.#chunkOf(level, type, time, chunk).changed.set(bucket % CHUNK_BUCKETS, Number.POSITIVE_INFINITY);
  }

  #chunkOf(level: RankedLevel, type: number, time: number, chunk: number): Chunk {
    const last = this.#last[type];
    if (last !== undefined && last.level === level && last.time === time && last.chunk === chunk) return last;
    const found = this.#chunkNamed(level, type, time, chunk);
    if (type < MAX_LAST) this.#last[type] = found;
    return found;
  }

  #chunkNamed(level: RankedLevel, type: number, time: number, chunk: number): Chunk {
    const name = `${LEVEL_NUMBERS[level]} ${type} ${time} ${chunk}`;
    let known = this.#waiting.get(name);
    if (known === undefined) {
      known = { level, type, time, chunk, changed: new Map(), grown: new Map() };
      this.#waiting.set(name, known);
    }
    return known;
  }

  /** Writes the collected counts after the blocks were stored. */
  flush(): void {
    for (const chunk of this.#waiting.values()) this.#write(chunk);
    this.forget();
  }

  forget(): void {
    this.#waiting.clear();
    this.#last.length = 0;
  }

  #write(place: Chunk): void {
    const { level, type, time, chunk, changed, grown } = place;
    const row = this.#get.get(LEVEL_NUMBERS[level], type, time, chunk);
    const stored = row === undefined ? [] : numbersOf(row.most as Uint8Array);
    const numbers = new Float64Array(CHUNK_BUCKETS);
    if (stored === undefined) this.#count(place, numbers);
    else numbers.set(stored);
    let differs = stored === undefined;
    for (const [inside, most] of changed) {
      if (numbers[inside] === most) continue;
      numbers[inside] = most;
      differs = true;
    }
    for (const [inside, most] of grown) {
      if (numbers[inside]! >= most) continue;
      numbers[inside] = most;
      differs = true;
    }
    if (differs) this.#put.run(LEVEL_NUMBERS[level], type, time, chunk, bytesOf(numbers));
  }

  /** Reads a row, or recomputes a damaged one from the blocks. */
  #count({ level, type, time, chunk }: Chunk, into: Float64Array): void {
    for (let i = 0; i < CHUNK_BUCKETS; i++) into[i] = this.largestOf(level, type, time, chunk * CHUNK_BUCKETS + i);
  }
}

function bytesOf(numbers: Float64Array): Buffer {
  let [length, most] = [0, 0];
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i]! > 0) length = i + 1;
    if (numbers[i]! > most) most = numbers[i]!;
  }
  const width = most < 2 ** 8 ? 1 : most < 2 ** 16 ? 2 : most < 2 ** 32 ? 4 : 8;
  const bytes = Buffer.allocUnsafe(1 + length * width + CRC_BYTES);
  bytes[0] = width;
  for (let i = 0, at = 1; i < length; i++, at += width) {
    if (width === 8) bytes.writeDoubleLE(numbers[i]!, at);
    else bytes.writeUIntLE(numbers[i]!, at, width);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - CRC_BYTES)), bytes.length - CRC_BYTES);
  return bytes;
}

/** Returns undefined where the row is damaged. */
function numbersOf(bytes: Uint8Array): ArrayLike<number> | undefined {
  const end = bytes.length - CRC_BYTES;
  const width = bytes[0]!;
  if (end < 1 || (end - 1) % width !== 0 || (end - 1) / width > CHUNK_BUCKETS) return undefined;
  if (
    new DataView(bytes.buffer, bytes.byteOffset + end, CRC_BYTES).getUint32(0, true) !== crc32(bytes.subarray(0, end))
  )
    return undefined;
  if (width === 1) return bytes.subarray(1, end);
  const aligned = bytes.slice(1, end).buffer;
  if (width === 2) return new Uint16Array(aligned);
  return width === 4 ? new Uint32Array(aligned) : new Float64Array(aligned);
}
