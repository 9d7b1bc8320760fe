// SPDX-License-Identifier: Apache-2.0
import { grownTo } from "./byte-table";
import { hashOfWords, type WordSeeds, wordSeeds } from "./id-words";
import type { CellSums } from "./recounted-cells";

/** Words of a row: four of the id, and one that holds the pair and how the event arrived. */
const ROW_WORDS = 5;
const ARRIVAL_BITS = 2;
/** A pair shares its word with the arrival. */
const MAX_PAIRS = 2 ** (32 - ARRIVAL_BITS);
/** Rows of one bucket, on average at most: bucket and slots fit into a processor's second cache. */
const BUCKET_ROWS = 2_048;
const MOST_BUCKET_BITS = 12;

/**
 * The ids of a part of a minute, as rows of 128 bits. Rows are appended as they come, and are told apart once, bucket
 * after bucket of a seeded hash: a look-up reads a cache, where one table of all ids would read memory. Two rows are
 * the same event when all bits of the id and the pair are equal. Each part of a minute's recount has one.
 */
export class RecountedIds {
  /** Distinct events; known when the rows are told apart. */
  distinct = 0;
  private rows: Uint32Array<ArrayBuffer>;
  /** NaN where the row has no value; absent while no row has one. */
  private values: Float64Array<ArrayBuffer> | undefined;
  private count = 0;
  private isToldApart = false;
  /** Where the rows of each bucket begin; its distinct events come first, `sizes` of them. */
  private starts = new Uint32Array(1);
  private sizes = new Uint32Array(1);
  private readonly seeds: WordSeeds;

  constructor(seed: number, expectedEvents: number) {
    this.rows = new Uint32Array(expectedEvents * ROW_WORDS);
    this.seeds = wordSeeds(seed);
  }

  /** Appends an event. `by`: how it arrived, below 4; the largest of an event's repeats is kept, as is their value. */
  push(a: number, b: number, c: number, d: number, pair: number, by: number, value: number): void {
    if (this.isToldApart) throw new Error("the ids are told apart already");
    if (pair >= MAX_PAIRS) throw new RangeError(`a minute has more than ${MAX_PAIRS} cells`);
    const at = this.count * ROW_WORDS;
    if (at + ROW_WORDS > this.rows.length) this.grow();
    const { rows } = this;
    rows[at] = a;
    rows[at + 1] = b;
    rows[at + 2] = c;
    rows[at + 3] = d;
    rows[at + 4] = (pair << ARRIVAL_BITS) | by;
    if (this.values !== undefined) this.values[this.count] = value;
    else if (!Number.isNaN(value)) {
      this.values = new Float64Array(this.rows.length / ROW_WORDS).fill(Number.NaN);
      this.values[this.count] = value;
    }
    this.count++;
  }

  private grow(): void {
    const capacity = Math.ceil((this.rows.length / ROW_WORDS) * 1.5) + 16;
    this.rows = grownTo(this.rows, new Uint32Array(capacity * ROW_WORDS));
    if (this.values === undefined) return;
    const length = this.values.length;
    this.values = grownTo(this.values, new Float64Array(capacity)).fill(Number.NaN, length);
  }

  /** Tells the events apart and counts them into `sums`. Nothing can be appended afterwards. */
  tellApart(sums: CellSums): void {
    if (this.isToldApart) return;
    this.isToldApart = true;
    const bits = Math.min(MOST_BUCKET_BITS, Math.max(0, Math.ceil(Math.log2(this.count / BUCKET_ROWS))));
    if (bits === 0) this.starts = Uint32Array.of(0, this.count);
    else this.intoBuckets(bits);
    const buckets = this.starts.length - 1;
    this.sizes = new Uint32Array(buckets);
    let slots = new Int32Array(0);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const from = this.starts[bucket]!;
      const to = this.starts[bucket + 1]!;
      const needed = 2 ** Math.ceil(Math.log2(2 * (to - from) + 1));
      if (slots.length < needed) slots = new Int32Array(needed);
      else slots.fill(0, 0, needed);
      const size = this.bucketApart(from, to, slots, needed - 1, sums);
      this.sizes[bucket] = size;
      this.distinct += size;
    }
  }

  private intoBuckets(bits: number): void {
    const { rows, values, count, seeds } = this;
    const shift = 32 - bits;
    const starts = new Uint32Array(2 ** bits + 1);
    const bucketOf = new Uint16Array(count);
    for (let row = 0, at = 0; row < count; row++, at += ROW_WORDS) {
      const bucket = hashOfWords(seeds, rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!) >>> shift;
      bucketOf[row] = bucket;
      starts[bucket + 1]!++;
    }
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!;
    const next = starts.slice();
    const sorted = new Uint32Array(count * ROW_WORDS);
    const sortedValues = values === undefined ? undefined : new Float64Array(count);
    for (let row = 0, at = 0; row < count; row++, at += ROW_WORDS) {
      const place = next[bucketOf[row]!]!++;
      const to = place * ROW_WORDS;
      sorted[to] = rows[at]!;
      sorted[to + 1] = rows[at + 1]!;
      sorted[to + 2] = rows[at + 2]!;
      sorted[to + 3] = rows[at + 3]!;
      sorted[to + 4] = rows[at + 4]!;
      if (sortedValues !== undefined) sortedValues[place] = values![row]!;
    }
    this.rows = sorted;
    this.values = sortedValues;
    this.starts = starts;
  }

  /** Moves the distinct events of a bucket to its front; returns their number. */
  private bucketApart(from: number, to: number, slots: Int32Array, mask: number, sums: CellSums): number {
    const { rows, values, seeds } = this;
    let size = 0;
    for (let row = from, at = from * ROW_WORDS; row < to; row++, at += ROW_WORDS) {
      const a = rows[at]!;
      const b = rows[at + 1]!;
      const c = rows[at + 2]!;
      const d = rows[at + 3]!;
      const pair = rows[at + 4]! >>> ARRIVAL_BITS;
      let slot = hashOfWords(seeds, a, b, c, d) & mask;
      let known = -1;
      for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
        const its = (from + entry - 1) * ROW_WORDS;
        if (
          rows[its + 3] === d &&
          rows[its + 2] === c &&
          rows[its + 1] === b &&
          rows[its] === a &&
          rows[its + 4]! >>> ARRIVAL_BITS === pair
        ) {
          known = its;
          break;
        }
        slot = (slot + 1) & mask;
      }
      if (known === -1) {
        const own = (from + size) * ROW_WORDS;
        rows[own] = a;
        rows[own + 1] = b;
        rows[own + 2] = c;
        rows[own + 3] = d;
        rows[own + 4] = rows[at + 4]!;
        slots[slot] = ++size;
        sums.count(pair);
      } else if (rows[at + 4]! > rows[known + 4]!) rows[known + 4] = rows[at + 4]!;
      if (values === undefined) continue;
      const value = values[row]!;
      if (known === -1) values[from + size - 1] = Number.NaN;
      this.take(known === -1 ? from + size - 1 : known / ROW_WORDS, pair, value, sums);
    }
    return size;
  }

  /** Notes the value of an event's repeat: the largest one counts. */
  private take(event: number, pair: number, value: number, sums: CellSums): void {
    if (Number.isNaN(value)) return;
    const known = this.values![event]!;
    if (value <= known) return;
    sums.change(pair, Number.isNaN(known) ? 0 : known, value, Number.isNaN(known));
    this.values![event] = value;
  }

  /** Calls `take` for each distinct event with its id and how it arrived. */
  each(take: (a: number, b: number, c: number, d: number, by: number) => void): void {
    const { rows } = this;
    for (let bucket = 0; bucket < this.sizes.length; bucket++) {
      const from = this.starts[bucket]! * ROW_WORDS;
      const to = from + this.sizes[bucket]! * ROW_WORDS;
      for (let at = from; at < to; at += ROW_WORDS) {
        take(rows[at]!, rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, rows[at + 4]! & (2 ** ARRIVAL_BITS - 1));
      }
    }
  }
}
