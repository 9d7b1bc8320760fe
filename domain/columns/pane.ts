import type { EventBlock } from "./event-block";
import { grown, NameTable } from "./name-table";

/**
 * What one dedup partition knows of one minute: the set of its distinct events and their counts by (video, type). The same as a
 * Beam pane of an accumulating window: it only grows. An event is its id, video and type; of repeats that differ in value the
 * largest counts, and one without a value never replaces one, so that (count, valued, sum, last) orders panes.
 *
 * The set is an open-addressing table over typed arrays, 128-bit ids compared whole; its hash is seeded, because clients choose ids.
 */
const SLOT_LOAD = 0.6;
/** Rows looked up together. */
const RUN_ROWS = 256;
/** Types of a pane at most; video * TYPE_SPAN + type stays a safe integer. */
const TYPE_SPAN = 2 ** 21;
const LISTED_TYPES = 8;
const MAX_PAIRS = 1 << 20;
const TWO_32 = 2 ** 32;
/** Distinct events of a pane at most: `slots` holds an event's number + 1 in 32 bits with a sign. */
export const MAX_PANE_EVENTS = 2 ** 30;

export class Pane {
  /** Events that came, repeats included. */
  received = 0;
  /** Distinct events. */
  distinct = 0;
  /** Ids that came with more than one video or type, counted once for each further (video, type). */
  reusedIds = 0;
  readonly videos: NameTable;
  readonly types: NameTable;
  cells = 0;
  cellVideo = new Uint32Array(64);
  cellType = new Uint32Array(64);
  cellCount = new Float64Array(64);
  /** Distinct events that have a value. */
  cellValued = new Float64Array(64);
  cellSumHigh = new Float64Array(64);
  cellSumLow = new Float64Array(64);
  cellLastMs = new Uint16Array(64);
  /** Events that came for the cell, repeats included: it orders the states of a cell. */
  cellReceived = new Float64Array(64);
  /** Of `reusedIds`, those of the cell: an id's first (video, type) in the order of names has none of it, whatever order they came in. */
  cellReused = new Uint32Array(64);
  /** Video -> its first cell + 1; cell -> the video's next cell + 1. */
  private firstCell = new Int32Array(64);
  private nextCell = new Int32Array(64);
  private readonly cellByName = new Map<number, number>();
  private ids = new Uint32Array(64 * 4);
  private idCell = new Uint32Array(64);
  /** NaN: the event has no value. Absent: no event has one. */
  private idValue: Float64Array | undefined;
  /** Pairs: entry + 1 (0: free) and the hash, so that a look at another id's slot ends here and growing computes none. */
  private slots: Int32Array;
  private readonly runHashes = new Int32Array(RUN_ROWS);
  /** Keeps findSlots' reads from being optimised away. */
  protected touched = 0;
  private readonly seeds: Uint32Array;

  /** `seed`: 8 random words, the same for the life of the process; unknown to clients. */
  constructor(seed: Uint32Array, expectedEvents = 0) {
    this.seeds = seed;
    this.videos = new NameTable(seed[0]!);
    this.types = new NameTable(seed[1], TYPE_SPAN);
    this.slots = new Int32Array(2 * slotCount(Math.max(64, expectedEvents)));
  }

  /** Approximate bytes held, for bounds. */
  get sizeBytes(): number {
    return (
      this.slots.byteLength +
      this.ids.byteLength +
      this.idCell.byteLength +
      (this.idValue?.byteLength ?? 0) +
      this.cells * 120
    );
  }

  /** As NameTable's, of the ids. */
  get detours(): number {
    const { slots } = this;
    let steps = 0;
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at] !== 0) steps += ((at - (slots[at + 1]! << 1)) & (slots.length - 1)) >> 1;
    }
    return steps;
  }

  addBlock(block: EventBlock): void {
    const { count, ids, values, videoIndex, msInMinute, typeIndex } = block;
    const videos = this.videos.indexSpans(block.videos);
    const types = this.types.indexSpans(block.types);
    const typeCount = types.length;
    const known = new Int32Array(Math.min(videos.length * typeCount, MAX_PAIRS)).fill(-1);
    this.received += count;
    this.reserve(count);
    for (let from = 0; from < count; from += RUN_ROWS) {
      const to = Math.min(from + RUN_ROWS, count);
      this.findSlots(ids, from, to);
      for (let row = from; row < to; row++) {
        const pair = videoIndex[row]! * typeCount + typeIndex[row]!;
        let cell = pair < MAX_PAIRS ? known[pair]! : -1;
        if (cell < 0) {
          cell = this.cell(videos[videoIndex[row]!]!, types[typeIndex[row]!]!);
          if (pair < MAX_PAIRS) known[pair] = cell;
        }
        const at = row * 4;
        this.cellReceived[cell]!++;
        const value = values === undefined ? Number.NaN : values[row]!;
        const hash = this.runHashes[row - from]!;
        this.add(hash, ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!, cell, msInMinute[row]!, value);
      }
    }
  }

  /**
   * The first slot of each row of a run. Reading them all in one short loop lets the processor wait for their cache lines together and
   * not one after the other: the table is far larger than its caches, and that wait was most of the dedup.
   */
  private findSlots(ids: Uint32Array, from: number, to: number): void {
    const { slots, runHashes } = this;
    const mask = slots.length - 1;
    let touched = 0;
    for (let row = from; row < to; row++) {
      const at = row * 4;
      const hash = this.hash(ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!);
      runHashes[row - from] = hash;
      touched |= slots[(hash << 1) & mask]!;
    }
    this.touched = touched;
  }

  /** Room for `more` events, so that the table does not grow while a run is looked up. */
  private reserve(more: number): void {
    if (this.distinct + more > MAX_PANE_EVENTS) {
      throw new RangeError(`a pane holds at most ${MAX_PANE_EVENTS} events: raise the number of dedup partitions`);
    }
    while ((this.distinct + more) * 2 > this.slots.length * SLOT_LOAD) this.growSlots();
  }

  private add(
    hash: number,
    a: number,
    b: number,
    c: number,
    d: number,
    cell: number,
    msInMinute: number,
    value: number,
  ): void {
    const { slots, ids } = this;
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    let first = -1;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      const at = (entry - 1) * 4;
      if (slots[slot + 1] === hash && ids[at] === a && ids[at + 1] === b && ids[at + 2] === c && ids[at + 3] === d) {
        const known = this.idCell[entry - 1]!;
        if (known === cell) {
          this.repeat(entry - 1, cell, msInMinute, value);
          return;
        }
        first = first === -1 ? known : this.firstByName(first, known);
      }
      slot = (slot + 2) & mask;
    }
    if (first !== -1) {
      this.reusedIds++;
      this.cellReused[this.firstByName(first, cell) === cell ? first : cell]!++;
    }
    this.insert(slot, hash, a, b, c, d, cell, value);
    this.cellCount[cell]!++;
    if (!Number.isNaN(value)) {
      this.cellValued[cell]!++;
      if (value !== 0) this.addToSum(cell, value);
    }
    if (msInMinute > this.cellLastMs[cell]!) this.cellLastMs[cell] = msInMinute;
  }

  private firstByName(a: number, b: number): number {
    const { videos, types, cellVideo, cellType } = this;
    if (cellVideo[a] === cellVideo[b]) return types.text(cellType[a]!) < types.text(cellType[b]!) ? a : b;
    return videos.text(cellVideo[a]!) < videos.text(cellVideo[b]!) ? a : b;
  }

  /** The event is known: the larger value and the later time stay; no value is less than any. */
  private repeat(entry: number, cell: number, msInMinute: number, value: number): void {
    const stored = this.idValue === undefined ? Number.NaN : this.idValue[entry]!;
    const isFirstValue = Number.isNaN(stored) && !Number.isNaN(value);
    if (isFirstValue || value > stored) {
      if (isFirstValue) this.cellValued[cell]!++;
      else this.addToSum(cell, stored, -1);
      this.addToSum(cell, value);
      this.valueColumn()[entry] = value;
    }
    if (msInMinute > this.cellLastMs[cell]!) this.cellLastMs[cell] = msInMinute;
  }

  private insert(
    slot: number,
    hash: number,
    a: number,
    b: number,
    c: number,
    d: number,
    cell: number,
    value: number,
  ): void {
    const entry = this.distinct++;
    if (entry === this.idCell.length) this.growEntries();
    const at = entry * 4;
    this.ids[at] = a;
    this.ids[at + 1] = b;
    this.ids[at + 2] = c;
    this.ids[at + 3] = d;
    this.idCell[entry] = cell;
    if (!Number.isNaN(value)) this.valueColumn()[entry] = value;
    this.slots[slot] = entry + 1;
    this.slots[slot + 1] = hash;
  }

  private valueColumn(): Float64Array {
    this.idValue ??= new Float64Array(this.idCell.length).fill(Number.NaN);
    return this.idValue;
  }

  /** sum = high * 2^32 + low; low is carried over before it could lose a bit. */
  private addToSum(cell: number, value: number, sign = 1): void {
    const high = Math.floor(value / TWO_32);
    this.cellSumHigh[cell] = this.cellSumHigh[cell]! + sign * high;
    const low = this.cellSumLow[cell]! + sign * (value - high * TWO_32);
    const carry = Math.floor(low / TWO_32);
    this.cellSumHigh[cell] = this.cellSumHigh[cell]! + carry;
    this.cellSumLow[cell] = low - carry * TWO_32;
  }

  /** A video's first cells are a list, found without hashing; one with many types has the rest in a Map. */
  private cell(video: number, type: number): number {
    if (video >= this.firstCell.length)
      this.firstCell = grown(this.firstCell, new Int32Array(Math.max(video + 1, this.firstCell.length * 2)));
    let last = 0;
    let steps = 0;
    for (let cell = this.firstCell[video]!; cell !== 0; cell = this.nextCell[cell - 1]!) {
      if (this.cellType[cell - 1] === type) return cell - 1;
      last = cell;
      steps++;
    }
    const name = video * TYPE_SPAN + type;
    if (steps === LISTED_TYPES) {
      const known = this.cellByName.get(name);
      if (known !== undefined) return known;
    }
    const cell = this.cells++;
    if (cell === this.cellVideo.length) this.growCells();
    this.cellVideo[cell] = video;
    this.cellType[cell] = type;
    if (steps === LISTED_TYPES) this.cellByName.set(name, cell);
    else if (last === 0) this.firstCell[video] = cell + 1;
    else this.nextCell[last - 1] = cell + 1;
    return cell;
  }

  private hash(a: number, b: number, c: number, d: number): number {
    const s = this.seeds;
    let h = Math.imul(a ^ s[0]!, s[4]! | 1);
    h = Math.imul((h ^ (h >>> 15)) + (b ^ s[1]!), s[5]! | 1);
    h = Math.imul((h ^ (h >>> 13)) + (c ^ s[2]!), s[6]! | 1);
    h = Math.imul((h ^ (h >>> 16)) + (d ^ s[3]!), s[7]! | 1);
    return h ^ (h >>> 15);
  }

  private growEntries(): void {
    const capacity = this.idCell.length * 2;
    this.ids = grown(this.ids, new Uint32Array(capacity * 4));
    this.idCell = grown(this.idCell, new Uint32Array(capacity));
    if (this.idValue !== undefined) this.idValue = grown(this.idValue, new Float64Array(capacity).fill(Number.NaN));
  }

  private growSlots(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === 0) continue;
      let slot = (old[from + 1]! << 1) & mask;
      while (slots[slot] !== 0) slot = (slot + 2) & mask;
      slots[slot] = old[from]!;
      slots[slot + 1] = old[from + 1]!;
    }
    this.slots = slots;
  }

  private growCells(): void {
    const capacity = this.cellVideo.length * 2;
    this.cellVideo = grown(this.cellVideo, new Uint32Array(capacity));
    this.nextCell = grown(this.nextCell, new Int32Array(capacity));
    this.cellType = grown(this.cellType, new Uint32Array(capacity));
    this.cellCount = grown(this.cellCount, new Float64Array(capacity));
    this.cellValued = grown(this.cellValued, new Float64Array(capacity));
    this.cellSumHigh = grown(this.cellSumHigh, new Float64Array(capacity));
    this.cellSumLow = grown(this.cellSumLow, new Float64Array(capacity));
    this.cellLastMs = grown(this.cellLastMs, new Uint16Array(capacity));
    this.cellReceived = grown(this.cellReceived, new Float64Array(capacity));
    this.cellReused = grown(this.cellReused, new Uint32Array(capacity));
  }
}

function slotCount(events: number): number {
  return 2 ** Math.ceil(Math.log2(events / SLOT_LOAD + 1));
}

/**
 * The dedup partition of an id: the same on every worker, so unseeded. `partitions` >= 1. Ids that are chosen for it may all be of one
 * partition: they then cost what they would with one partition, and no more, because the partition's pane is seeded and its blocks are bounded.
 */
export function partitionOf(a: number, b: number, c: number, d: number, partitions: number): number {
  if (partitions === 1) return 0;
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + b, 0xc2b2ae35);
  h = Math.imul((h ^ (h >>> 13)) + c, 0x27d4eb2f);
  h = Math.imul((h ^ (h >>> 16)) + d, 0x165667b1);
  return ((h ^ (h >>> 15)) >>> 0) % partitions;
}
