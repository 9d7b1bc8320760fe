// SPDX-License-Identifier: Apache-2.0
/**
 * Merges changes into the bytes of a block (cell-block.ts), without a decoded block between: a write changes few cells
 * of most blocks, and all others are copied as they are. It takes what nearly all writes consist of and refuses what is
 * rare: corrections and revisions, sums below 0 or beyond 53 bits, differences below 0, a last event that becomes
 * earlier, a cell that is given twice. The writer of minutes then decodes the block and changes its cells.
 */
import {
  type CellBytes,
  CORRECTION,
  COUNT,
  cursor,
  FORMAT,
  HAS_META,
  HAS_SUM,
  HAS_VALUED,
  HAS_WIDE,
  KEY,
  LAST,
  LOW,
  MAX_CELL_BYTES,
  MID,
  putNumber,
  TOP,
  take,
  VALUED,
  VARINTS_AFTER_HEAD,
  WIDTH,
} from "./cell-block";

const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/** The result of the last merge, valid until the next one. */
export class CellMerge implements CellBytes {
  bytes: Uint8Array = new Uint8Array(1 << 16);
  length = 0;
  /** The differences of the last `states`, as the cells of a block: of those states that were later. */
  moves = new Float64Array(64 * WIDTH);
  moved = 0;
  #from: Uint8Array = this.bytes;
  #end = 0;
  /** The place in #from of the next cell, its key and flags, and the place behind its first number. */
  #at = 1;
  #next = Number.NaN;
  #flags = 0;
  #body = 1;
  /** The key before the next cell, and the key that was written last. */
  #key = Number.NaN;
  #before = Number.NaN;
  #to = 1;
  // The numbers of the cell that was taken last. They begin as NaN, because a field that has held integers alone is
  // changed when the first other number comes, and all code that uses the object is compiled again.
  #count = Number.NaN;
  #valued = Number.NaN;
  #sum = Number.NaN;
  #last = Number.NaN;

  /**
   * Sets cells to states, given as the cells of a block by key, where these are later (isLaterCell of
   * domain/rules/cell-version.ts). Returns false where it refuses.
   */
  states(stored: CellBytes, states: Float64Array, cells: number): boolean {
    if (this.moves.length < cells * WIDTH) this.moves = new Float64Array(cells * WIDTH * 2);
    const { moves } = this;
    this.moved = 0;
    this.#begin(stored, cells);
    let moved = 0;
    for (let at = 0; at < cells * WIDTH; at += WIDTH) {
      const [count, valued, last] = [states[at + COUNT]!, states[at + VALUED]!, states[at + LAST]!];
      const [low, mid] = [states[at + LOW]!, states[at + MID]!];
      const sum = mid * TWO_32 + low;
      if (!(count > 0 && sum >= 0 && sum < TWO_53 && states[at + TOP] === 0 && states[at + CORRECTION] === 0))
        return false;
      if (states[at + KEY]! <= this.#before) return false;
      const move = moved * WIDTH;
      if (this.#copyTo(states[at + KEY]!)) {
        if (!this.#takeCell()) return false;
        if (!this.#isBefore(count, valued, sum, last)) {
          this.#copyCell();
          continue;
        }
        if (last < this.#last) return false;
        moves[move + COUNT] = count - this.#count;
        moves[move + VALUED] = valued - this.#valued;
        const above = Math.floor(this.#sum / TWO_32);
        moves[move + LOW] = low - (this.#sum - above * TWO_32);
        moves[move + MID] = mid - above;
        this.#pass();
      } else {
        moves[move + COUNT] = count;
        moves[move + VALUED] = valued;
        moves[move + LOW] = low;
        moves[move + MID] = mid;
      }
      moves[move + KEY] = states[at + KEY]!;
      moves[move + TOP] = 0;
      moves[move + LAST] = last;
      moved++;
      this.#put(states[at + KEY]!, count, valued, sum, last);
    }
    this.moved = moved;
    this.#finish();
    return true;
  }

  /**
   * Adds differences, given as the cells of a block by key; `offsetMs` is added to each last event. Returns false where
   * it refuses.
   */
  sums(stored: CellBytes, moves: Float64Array, cells: number, offsetMs: number): boolean {
    this.#begin(stored, cells);
    for (let at = 0; at < cells * WIDTH; at += WIDTH) {
      let [count, valued, last] = [moves[at + COUNT]!, moves[at + VALUED]!, moves[at + LAST]! + offsetMs];
      let sum = moves[at + MID]! * TWO_32 + moves[at + LOW]!;
      if (!(count > 0 && valued >= 0 && sum >= 0 && last >= 0 && moves[at + TOP] === 0)) return false;
      if (moves[at + KEY]! <= this.#before) return false;
      if (this.#copyTo(moves[at + KEY]!)) {
        if (!this.#takeCell()) return false;
        count += this.#count;
        valued += this.#valued;
        sum += this.#sum;
        if (this.#last > last) last = this.#last;
        this.#pass();
      }
      if (!(sum < TWO_53 && count < TWO_53 && last < TWO_53 / 2)) return false;
      this.#put(moves[at + KEY]!, count, valued, sum, last);
    }
    this.#finish();
    return true;
  }

  #begin({ bytes, length }: CellBytes, cells: number): void {
    const most = length + (cells + 1) * MAX_CELL_BYTES;
    if (this.bytes.length < most) this.bytes = new Uint8Array(most * 2);
    this.bytes[0] = FORMAT;
    this.#from = bytes;
    this.#end = length;
    this.#to = 1;
    this.#at = 1;
    this.#key = -1;
    this.#before = -1;
    this.#look();
  }

  /** Reads the first number of the next cell. */
  #look(): void {
    if (this.#at >= this.#end) {
      this.#next = Number.POSITIVE_INFINITY;
      return;
    }
    cursor.at = this.#at;
    const head = take(this.#from);
    this.#flags = head & 15;
    this.#next = this.#key + 1 + (head - this.#flags) / 16;
    this.#body = cursor.at;
  }

  /** Copies the cells below a key. Returns whether the next one has the key. */
  #copyTo(key: number): boolean {
    while (this.#next < key) this.#copyCell();
    return this.#next === key;
  }

  #copyCell(): void {
    const { bytes } = this;
    const from = this.#from;
    const end = this.#end;
    let to = this.#putHead(this.#next, this.#flags);
    let at = this.#body;
    for (let left = VARINTS_AFTER_HEAD[this.#flags]!; left > 0 && at < end; at++) {
      const byte = from[at]!;
      bytes[to++] = byte;
      if (byte < 128) left--;
    }
    this.#to = to;
    cursor.at = at;
    this.#pass();
  }

  /** Decodes the numbers of the next cell. Returns false for one that is refused. */
  #takeCell(): boolean {
    const from = this.#from;
    const flags = this.#flags;
    if ((flags & HAS_META) !== 0) return false;
    cursor.at = this.#body;
    this.#count = take(from);
    const hasSum = (flags & HAS_SUM) !== 0;
    this.#valued = (flags & HAS_VALUED) !== 0 ? take(from) : hasSum ? this.#count : 0;
    this.#sum = hasSum ? take(from) : 0;
    if ((flags & HAS_WIDE) !== 0) {
      this.#sum += take(from) * TWO_32;
      if (take(from) !== 0) return false;
    }
    const last = take(from);
    this.#last = last / 2;
    return last % 2 === 0 && this.#sum < TWO_53;
  }

  #isBefore(count: number, valued: number, sum: number, last: number): boolean {
    if (count !== this.#count) return count > this.#count;
    if (valued !== this.#valued) return valued > this.#valued;
    return sum === this.#sum ? last > this.#last : sum > this.#sum;
  }

  /** Steps over the next cell, which ends at the cursor. */
  #pass(): void {
    this.#key = this.#next;
    this.#at = cursor.at;
    this.#look();
  }

  #putHead(key: number, flags: number): number {
    const to = putNumber(this.bytes, this.#to, (key - this.#before - 1) * 16 + flags);
    this.#before = key;
    return to;
  }

  #put(key: number, count: number, valued: number, sum: number, last: number): void {
    const { bytes } = this;
    const mid = Math.floor(sum / TWO_32);
    const saysValued = valued !== (sum === 0 ? 0 : count);
    const flags = (sum === 0 ? 0 : HAS_SUM) | (mid === 0 ? 0 : HAS_WIDE) | (saysValued ? HAS_VALUED : 0);
    let to = putNumber(bytes, this.#putHead(key, flags), count);
    if (saysValued) to = putNumber(bytes, to, valued);
    if (sum !== 0) to = putNumber(bytes, to, sum - mid * TWO_32);
    if (mid !== 0) {
      to = putNumber(bytes, to, mid);
      bytes[to++] = 0;
    }
    this.#to = putNumber(bytes, to, last * 2);
  }

  /** Copies the cells behind the last change. */
  #finish(): void {
    if (this.#at >= this.#end) {
      this.length = this.#to === 1 ? 0 : this.#to;
      return;
    }
    const to = this.#putHead(this.#next, this.#flags);
    this.bytes.set(this.#from.subarray(this.#body, this.#end), to);
    this.length = to + this.#end - this.#body;
  }
}
