// SPDX-License-Identifier: Apache-2.0
/** A hash table over byte strings, with which the recount of an audit numbers names and ids. */

/**
 * Numbers byte strings in the order in which they first come: 0, 1, 2, ... Two strings get one number when all their
 * bytes are equal, whatever their hashes are. The hash is seeded, because clients choose what is in the table.
 */
const FIRST_ENTRIES = 1_024;
const FIRST_BYTES_AN_ENTRY = 16;
/** Bytes of all strings of a table: offsets are 32 bits wide. */
const MAX_BYTES = 2 ** 32 - 1;

export class ByteTable {
  size = 0;
  private bytes: Buffer;
  private ends: Uint32Array<ArrayBuffer>;
  /**
   * Pairs: the hash, and the entry's number + 1 (0 marks a free slot). At most half of the slots are taken. A look-up
   * that finds nothing reads one cache line: most ids are new.
   */
  private slots: Int32Array<ArrayBuffer>;
  private used = 0;

  /** `firstEntries` is a power of two; the table grows by itself. */
  constructor(
    private readonly seed: number,
    firstEntries = FIRST_ENTRIES,
  ) {
    this.bytes = Buffer.allocUnsafe(firstEntries * FIRST_BYTES_AN_ENTRY);
    this.ends = new Uint32Array(firstEntries);
    this.slots = new Int32Array(firstEntries * 4);
  }

  /** Returns the number of the bytes [from, to), and adds them where they are new. */
  numberOf(bytes: Uint8Array, from: number, to: number): number {
    const hash = hashOf(bytes, from, to, this.seed);
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = (spread(hash) << 1) & mask;
    for (let entry = slots[slot + 1]!; entry !== 0; entry = slots[slot + 1]!) {
      if (slots[slot] === hash && this.isEntry(entry - 1, bytes, from, to)) return entry - 1;
      slot = (slot + 2) & mask;
    }
    slots[slot] = hash;
    slots[slot + 1] = this.add(bytes, from, to) + 1;
    if (this.size * 4 > slots.length) this.rehash();
    return this.size - 1;
  }

  text(number: number): string {
    return this.bytes.utf8Slice(number === 0 ? 0 : this.ends[number - 1]!, this.ends[number]!);
  }

  /** The first `size` strings as they are in memory: a view, valid until more are added. */
  get texts(): { bytes: Uint8Array; ends: Uint32Array } {
    return { bytes: this.bytes.subarray(0, this.used), ends: this.ends.subarray(0, this.size) };
  }

  hashOf(number: number, seed: number): number {
    return hashOf(this.bytes, number === 0 ? 0 : this.ends[number - 1]!, this.ends[number]!, seed);
  }

  private isEntry(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = entry === 0 ? 0 : this.ends[entry - 1]!;
    if (this.ends[entry]! - start !== to - from) return false;
    const { bytes: own } = this;
    for (let n = to - from - 1; n >= 0; n--) if (own[start + n] !== bytes[from + n]) return false;
    return true;
  }

  private add(bytes: Uint8Array, from: number, to: number): number {
    const end = this.used + to - from;
    if (end > MAX_BYTES) throw new RangeError("a table of names is larger than 4 GiB");
    if (end > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.min(MAX_BYTES, Math.max(end, this.bytes.length * 2)));
      this.bytes.copy(grown, 0, 0, this.used);
      this.bytes = grown;
    }
    const { bytes: own, used } = this;
    for (let n = from; n < to; n++) own[used + n - from] = bytes[n]!;
    this.used = end;
    if (this.size === this.ends.length) {
      this.ends = grownTo(this.ends, new Uint32Array(this.size * 2));
    }
    this.ends[this.size] = end;
    return this.size++;
  }

  private rehash(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let slot = (spread(old[from]!) << 1) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
      slots[slot] = old[from]!;
      slots[slot + 1] = old[from + 1]!;
    }
    this.slots = slots;
  }
}

export function grownTo<T extends { set(values: T): void }>(values: T, larger: T): T {
  larger.set(values);
  return larger;
}

/**
 * A seeded hash, four bytes a step; 32 bits, signed. The second factor of a step is secret: without it two steps could
 * be chosen that cancel each other for half of all seeds, and a text of 128 bytes has sixteen such places.
 */
export function hashOf(bytes: Uint8Array, from: number, to: number, seed: number): number {
  const secret = Math.imul(seed ^ (seed >>> 16) ^ 0x2c1b3c6d, 0x297a2d39) | 1;
  let hash = seed ^ (to - from);
  let at = from;
  for (const wholeTo = to - 3; at < wholeTo; at += 4) {
    const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = Math.imul(hash ^ four, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), secret);
  }
  for (; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Mixes the hash. The low bits choose the part of a minute, while all bits choose the slot. */
function spread(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return mixed ^ (mixed >>> 15);
}
