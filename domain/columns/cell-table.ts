// SPDX-License-Identifier: Apache-2.0
import { grown } from "./name-table";
import { TYPE_SPAN } from "./pane-names";

/** Videos whose cells of one type share a group: GROUP_VIDEOS numbers in a row. */
const GROUP_BITS = 3;
const GROUP_VIDEOS = 2 ** GROUP_BITS;
/** A video number below 2^25 (22 bits of its group) and a type number below 2^10 make one key of 32 bits. */
const KEY_TYPE_BITS = 10;
const KEY_VIDEO_BITS = 32 - KEY_TYPE_BITS + GROUP_BITS;
const FIRST_SLOTS = 16;
const FIRST_GROUPS = 8;
const FIRST_CELLS = 32;

/**
 * The cells of a pane as columns, numbered in the order in which they appear, with a look-up from (video, type) to the
 * cell. A pane counts in it, and the stream remembers in it the cells that it wrote (transforms/written-cells.ts).
 * Videos that were named at about the same time are popular at about the same time, so the look-up keeps the cells of
 * neighbouring video numbers together: a hash finds the group, and the group has a place for each of its videos.
 */
export class CellTable {
  size = 0;
  video = new Uint32Array(FIRST_CELLS);
  type = new Uint32Array(FIRST_CELLS);
  /** Events received for the cell, repeats included. The number orders the states of a cell. */
  received = new Uint32Array(FIRST_CELLS);
  /** The repeats among the received events. */
  duplicates = new Uint32Array(FIRST_CELLS);
  lastMs = new Uint16Array(FIRST_CELLS);
  /**
   * The value of `received` when the pane fired last. A cell whose `received` still equals it has not changed since.
   */
  fired = new Uint32Array(FIRST_CELLS);
  /** Present where an event of the pane has a value. */
  values: CellValues | undefined;
  /** The reused ids of each cell that has any. */
  readonly reused = new Map<number, number>();
  /** Pairs of a group's key and its number + 1; 0 marks a free slot. */
  private slots = new Int32Array(FIRST_SLOTS * 2);
  /** GROUP_VIDEOS words a group: a cell's number + 1, or 0 where the video has no cell of the type. */
  private places = new Int32Array(FIRST_GROUPS * GROUP_VIDEOS);
  private groups = 0;
  private shift = 32 - Math.log2(FIRST_SLOTS);
  private readonly multiplier: number;
  /** Cells whose numbers do not fit into a key. */
  private readonly beyond = new Map<number, number>();

  /** `seed` is a random word, because clients choose which videos meet in a pane. */
  constructor(seed: number) {
    this.multiplier = Math.imul(seed, 0x9e3779b9) | 1;
  }

  /** Returns the cell of (video, type), and adds the cell where it is missing. */
  cell(video: number, type: number): number {
    if (video >>> KEY_VIDEO_BITS !== 0 || type >>> KEY_TYPE_BITS !== 0) return this.cellBeyond(video, type);
    const key = ((video >>> GROUP_BITS) << KEY_TYPE_BITS) | type;
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = (Math.imul(key, this.multiplier) >>> this.shift) << 1;
    for (let group = slots[slot + 1]!; group !== 0; group = slots[slot + 1]!) {
      if (slots[slot] === key) {
        const place = ((group - 1) << GROUP_BITS) | (video & (GROUP_VIDEOS - 1));
        const known = this.places[place]!;
        return known !== 0 ? known - 1 : this.addAt(place, video, type);
      }
      slot = (slot + 2) & mask;
    }
    return this.addGroup(slot, key, video, type);
  }

  private addAt(place: number, video: number, type: number): number {
    const cell = this.add(video, type);
    this.places[place] = cell + 1;
    return cell;
  }

  private addGroup(slot: number, key: number, video: number, type: number): number {
    const group = this.groups++;
    if (this.groups * GROUP_VIDEOS > this.places.length) {
      this.places = grown(this.places, new Int32Array(this.places.length * 2));
    }
    this.slots[slot] = key;
    this.slots[slot + 1] = group + 1;
    if (this.groups * 4 > this.slots.length) this.growSlots();
    return this.addAt((group << GROUP_BITS) | (video & (GROUP_VIDEOS - 1)), video, type);
  }

  private cellBeyond(video: number, type: number): number {
    const name = video * TYPE_SPAN + type;
    let cell = this.beyond.get(name);
    if (cell === undefined) {
      cell = this.add(video, type);
      this.beyond.set(name, cell);
    }
    return cell;
  }

  withValues(): CellValues {
    this.values ??= new CellValues(this.video.length);
    return this.values;
  }

  private add(video: number, type: number): number {
    const cell = this.size++;
    if (cell === this.video.length) this.growCells();
    this.video[cell] = video;
    this.type[cell] = type;
    return cell;
  }

  private growSlots(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    this.shift--;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let slot = (Math.imul(old[from]!, this.multiplier) >>> this.shift) << 1;
      while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
      slots[slot] = old[from]!;
      slots[slot + 1] = old[from + 1]!;
    }
    this.slots = slots;
  }

  private growCells(): void {
    const capacity = this.video.length * 2;
    this.video = grown(this.video, new Uint32Array(capacity));
    this.type = grown(this.type, new Uint32Array(capacity));
    this.received = grown(this.received, new Uint32Array(capacity));
    this.duplicates = grown(this.duplicates, new Uint32Array(capacity));
    this.lastMs = grown(this.lastMs, new Uint16Array(capacity));
    this.fired = grown(this.fired, new Uint32Array(capacity));
    this.values?.grow(capacity);
  }
}

const TWO_32 = 2 ** 32;

/** Sums and counts of values, by cell. */
class CellValues {
  /** Distinct events that have a value. */
  valued: Float64Array;
  /** Sum = high * 2^32 + low, 0 <= low < 2^32. */
  high: Float64Array;
  low: Float64Array;

  constructor(capacity: number) {
    this.valued = new Float64Array(capacity);
    this.high = new Float64Array(capacity);
    this.low = new Float64Array(capacity);
  }

  /** Adds a value, or takes it out with `sign` -1. The low part is carried over before it could lose a bit. */
  add(cell: number, value: number, sign = 1): void {
    const high = Math.floor(value / TWO_32);
    const low = this.low[cell]! + sign * (value - high * TWO_32);
    const carry = Math.floor(low / TWO_32);
    this.high[cell] = this.high[cell]! + sign * high + carry;
    this.low[cell] = low - carry * TWO_32;
  }

  grow(capacity: number): void {
    this.valued = grown(this.valued, new Float64Array(capacity));
    this.high = grown(this.high, new Float64Array(capacity));
    this.low = grown(this.low, new Float64Array(capacity));
  }
}
