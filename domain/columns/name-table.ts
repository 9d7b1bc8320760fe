// SPDX-License-Identifier: Apache-2.0
/**
 * Tables that number names (videos, types) by their bytes. Blocks, panes and decoded batches keep names in them instead
 * of a string for each event.
 */

import { uint32Column } from "./column-memory";

/** Names as byte spans of a larger array. A decoder has the spans before it makes any string. */
export interface NameSpans {
  bytes: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
}

/** The end of a name is kept in 32 bits. */
const MAX_BYTES = 2 ** 32 - 1;

/** Words of a slot: the name's number + 1 (0 marks a free slot), its length, and its first bytes. */
const SLOT_WORDS = 8;
const SLOT_SHIFT = 3;
const KEY_WORDS = SLOT_WORDS - 2;
const KEY_BYTES = KEY_WORDS * 4;
const FIRST_SLOTS = 32;

/**
 * The names of the current look-up, laid out as slots are, and their hashes. All tables of the process share this
 * memory.
 */
let asked = new Int32Array(512 * SLOT_WORDS);
let askedHashes = new Int32Array(512);

/**
 * Gives names numbers, 0, 1, 2... in the order they come, straight from their ASCII bytes: a string and a Map look-up
 * for every name of every batch took a fifth of the hot path. Open addressing; a slot holds the first 24 bytes of its
 * name, so that most look-ups read one cache line. The hash has a secret seed and multiplier, because clients choose
 * names.
 */
export class NameTable {
  size = 0;
  private slots = new Int32Array(FIRST_SLOTS * SLOT_WORDS);
  private ends = new Uint32Array(32);
  private bytes = Buffer.allocUnsafeSlow(512);
  private readonly multiplier: number;
  /** Keeps the reads of indexSpans from being optimised away. */
  protected touched = 0;

  /** Throws RangeError beyond `maxNames`. The slots hold a name's number + 1 in 32 bits with a sign. */
  constructor(
    private readonly seed = 0,
    private readonly maxNames = 2 ** 30,
  ) {
    this.multiplier = Math.imul(seed ^ 0x85ebca6b, 0x9e3779b9) | 1;
  }

  index(bytes: Uint8Array, from: number, to: number): number {
    return this.find(this.ask(asked, 0, viewOf(bytes), from, to), asked, 0, bytes, from, to);
  }

  indexText(text: string): number {
    const bytes = Buffer.from(text, "latin1");
    return this.index(bytes, 0, bytes.length);
  }

  /**
   * Returns the numbers of all names of `spans`. All slots are read before the first one is needed, in a loop that does
   * nothing else: the processor waits for many of their cache lines together and not for one after the other.
   */
  indexSpans({ bytes, starts, ends }: NameSpans): Uint32Array {
    const count = starts.length;
    if (askedHashes.length < count) {
      asked = new Int32Array(count * 2 * SLOT_WORDS);
      askedHashes = new Int32Array(count * 2);
    }
    const { slots } = this;
    const mask = slots.length - 1;
    const view = viewOf(bytes);
    const [names, hashes] = [asked, askedHashes];
    for (let i = 0; i < count; i++) hashes[i] = this.ask(names, i, view, starts[i]!, ends[i]!);
    let touched = 0;
    for (let i = 0; i < count; i++) touched |= slots[(hashes[i]! << SLOT_SHIFT) & mask]!;
    this.touched = touched;
    const numbers = uint32Column(count);
    for (let i = 0; i < count; i++) numbers[i] = this.find(hashes[i]!, names, i, bytes, starts[i]!, ends[i]!);
    return numbers;
  }

  /** Writes the name into place `i` of `into`, laid out as slots are; returns the hash. */
  private ask(into: Int32Array, i: number, view: DataView, from: number, to: number): number {
    const { multiplier } = this;
    const length = to - from;
    const first = i * SLOT_WORDS + 2;
    let hash = this.seed ^ length;
    let word = 0;
    let at = from;
    const wholeTo = from + (Math.min(length, KEY_BYTES) & ~3);
    for (; at < wholeTo; at += 4, word++) {
      const four = view.getInt32(at, true);
      into[first + word] = four;
      hash = Math.imul(hash + four, multiplier);
      hash ^= hash >>> 15;
    }
    if (length < KEY_BYTES) {
      const rest = restOf(view, at, to, length);
      into[first + word++] = rest;
      hash = Math.imul(hash + rest, multiplier);
      hash ^= hash >>> 15;
      for (; word < KEY_WORDS; word++) into[first + word] = 0;
    }
    into[first - 1] = length;
    return finished(hash, multiplier, view, from + KEY_BYTES, to);
  }

  private find(hash: number, of: Int32Array, i: number, bytes: Uint8Array, from: number, to: number): number {
    const { slots } = this;
    const first = i * SLOT_WORDS;
    const length = to - from;
    let slot = (hash << SLOT_SHIFT) & (slots.length - 1);
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (
        slots[slot + 1] === length &&
        slots[slot + 2] === of[first + 2] &&
        slots[slot + 3] === of[first + 3] &&
        slots[slot + 4] === of[first + 4] &&
        // A shorter name has no bytes in the other words.
        (length <= 12 ||
          (slots[slot + 5] === of[first + 5] &&
            slots[slot + 6] === of[first + 6] &&
            slots[slot + 7] === of[first + 7] &&
            (length <= KEY_BYTES || this.sameRest(entry - 1, bytes, from, to))))
      )
        return entry - 1;
      slot = (slot + SLOT_WORDS) & (slots.length - 1);
    }
    return this.insert(slot, first, bytes, from, to);
  }

  private sameRest(name: number, bytes: Uint8Array, from: number, to: number): boolean {
    const own = this.bytes;
    let at = this.start(name) + KEY_BYTES;
    for (let other = from + KEY_BYTES; other < to; other++, at++) if (own[at] !== bytes[other]) return false;
    return true;
  }

  private insert(slot: number, first: number, bytes: Uint8Array, from: number, to: number): number {
    if (this.size >= this.maxNames) throw new RangeError(`a table of names holds at most ${this.maxNames} names`);
    const name = this.size++;
    if (name === this.ends.length) this.ends = grown(this.ends, new Uint32Array(name * 2));
    let end = this.start(name);
    if (end + to - from > MAX_BYTES) throw new RangeError(`a table of names holds at most ${MAX_BYTES} bytes`);
    if (end + to - from > this.bytes.length) {
      this.bytes = grown(this.bytes, Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, end + to - from)));
    }
    for (let at = from; at < to; at++) this.bytes[end++] = bytes[at]!;
    this.ends[name] = end;
    this.slots[slot] = name + 1;
    for (let word = 1; word < SLOT_WORDS; word++) this.slots[slot + word] = asked[first + word]!;
    if (this.size * 2 * SLOT_WORDS > this.slots.length) this.rehash();
    return name;
  }

  private rehash(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    const view = viewOf(this.bytes);
    for (let from = 0; from < old.length; from += SLOT_WORDS) {
      if (old[from] === 0) continue;
      let slot = (this.hashAt(old, from, view) << SLOT_SHIFT) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + SLOT_WORDS) & (slots.length - 1);
      for (let word = 0; word < SLOT_WORDS; word++) slots[slot + word] = old[from + word]!;
    }
    this.slots = slots;
  }

  /** Returns the hash of the name in a slot; `view` is one of `bytes`. */
  private hashAt(slots: Int32Array, slot: number, view: DataView): number {
    const { multiplier } = this;
    const length = slots[slot + 1]!;
    let hash = this.seed ^ length;
    const words = Math.min(KEY_WORDS, (length >> 2) + 1);
    for (let word = 0; word < words; word++) {
      hash = Math.imul(hash + slots[slot + 2 + word]!, multiplier);
      hash ^= hash >>> 15;
    }
    const start = this.start(slots[slot]! - 1);
    return finished(hash, multiplier, view, start + KEY_BYTES, start + length);
  }

  /** The bytes held. */
  get sizeBytes(): number {
    return this.slots.byteLength + this.ends.byteLength + this.bytes.length;
  }

  private start(name: number): number {
    return name === 0 ? 0 : this.ends[name - 1]!;
  }

  /**
   * The steps beyond the first that a look-up of each name takes, added up. The sum is of the order of `size`, unless
   * somebody chose names that collide.
   */
  get detours(): number {
    const { slots } = this;
    const view = viewOf(this.bytes);
    let steps = 0;
    for (let slot = 0; slot < slots.length; slot += SLOT_WORDS) {
      if (slots[slot] === 0) continue;
      steps += ((slot - (this.hashAt(slots, slot, view) << SLOT_SHIFT)) & (slots.length - 1)) >> SLOT_SHIFT;
    }
    return steps;
  }

  lengthOf(name: number): number {
    return this.ends[name]! - this.start(name);
  }

  text(name: number): string {
    return this.bytes.latin1Slice(this.start(name), this.ends[name]!);
  }

  /** Returns the name's shard of `shards`: FNV-1a over its bytes, the same on every worker. */
  shard(name: number, shards: number): number {
    let hash = 0x811c9dc5;
    for (let at = this.start(name); at < this.ends[name]!; at++) hash = Math.imul(hash ^ this.bytes[at]!, 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % shards;
  }

  /** Returns the bytes that `packNames` writes for these names. */
  packedSize(names: ArrayLike<number>): number {
    let size = names.length;
    for (let i = 0; i < names.length; i++) size += this.lengthOf(names[i]!);
    return size;
  }

  /**
   * Writes one length byte for each name, then the names; returns the end position. Throws RangeError for a name of
   * more than 255 bytes.
   */
  packNames(names: ArrayLike<number>, into: Uint8Array, at: number): number {
    let end = at + names.length;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      if (this.lengthOf(name) > 255) throw new RangeError("a packed name has at most 255 bytes");
      into[at + i] = this.lengthOf(name);
      for (let from = this.start(name); from < this.ends[name]!; from++) into[end++] = this.bytes[from]!;
    }
    return end;
  }
}

/**
 * Returns the bytes [from, to), at most three, as one word. Where the name is long enough, its last four bytes are read
 * at once: nothing behind the name may be read, because there may be nothing.
 */
function restOf(view: DataView, from: number, to: number, length: number): number {
  const left = to - from;
  if (left === 0) return 0;
  if (length >= 4) return view.getInt32(to - 4, true) >>> ((4 - left) << 3);
  let rest = 0;
  for (let at = from, shift = 0; at < to; at++, shift += 8) rest |= view.getUint8(at) << shift;
  return rest;
}

/** Returns a view, which reads four bytes at once at any address. */
export const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/** Returns the hash with the bytes from `from` on added. */
function finished(hash: number, multiplier: number, view: DataView, from: number, to: number): number {
  let all = hash;
  for (let at = from; at < to; at++) all = Math.imul(all + view.getUint8(at), multiplier) ^ (all >>> 15);
  all = Math.imul(all, 0x2c1b3c6d);
  return all ^ (all >>> 13);
}

/** Returns the spans of `count` names that `packNames` wrote at `at`. */
export function packedSpans(bytes: Uint8Array, at: number, count: number): NameSpans {
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let end = at + count;
  for (let i = 0; i < count; i++) {
    starts[i] = end;
    end += bytes[at + i]!;
    ends[i] = end;
  }
  if (end > bytes.length) throw new RangeError("a block ends inside its names");
  return { bytes, starts, ends };
}

export function spanTexts({ bytes, starts, ends }: NameSpans): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from(starts, (start, i) => buffer.latin1Slice(start, ends[i]!));
}

/** Returns ASCII texts as spans. */
export function textSpans(texts: readonly string[]): NameSpans {
  const starts = new Uint32Array(texts.length);
  const ends = new Uint32Array(texts.length);
  let end = 0;
  texts.forEach((text, i) => {
    starts[i] = end;
    end += text.length;
    ends[i] = end;
  });
  return { bytes: Buffer.from(texts.join(""), "latin1"), starts, ends };
}

export function grown<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
