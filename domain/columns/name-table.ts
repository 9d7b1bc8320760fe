/** Names as byte spans of a larger array: what a decoder has before it makes any string. */
export interface NameSpans {
  bytes: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
}

/** Where a name ends is kept in 32 bits. */
const MAX_BYTES = 2 ** 32 - 1;

/**
 * Gives names numbers, 0, 1, 2... in the order they come, straight from their ASCII bytes: a string and a Map look-up for every
 * name of every batch took a fifth of the hot path. Open addressing; the hash is seeded, because clients choose names.
 */
export class NameTable {
  size = 0;
  /** Pairs: name + 1 (0: free) and its hash. */
  private slots = new Int32Array(128);
  private ends = new Uint32Array(32);
  private bytes = Buffer.allocUnsafeSlow(512);
  /** Keeps the reads of indexSpans from being optimised away. */
  protected touched = 0;

  /** `maxNames`: throws a RangeError beyond it. The slots hold a name's number + 1 in 32 bits with a sign. */
  constructor(
    private readonly seed = 0,
    private readonly maxNames = 2 ** 30,
  ) {}

  index(bytes: Uint8Array, from: number, to: number): number {
    return this.indexHashed(this.hash(bytes, from, to), bytes, from, to);
  }

  private hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = this.seed ^ (to - from);
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    return hash ^ (hash >>> 13);
  }

  private indexHashed(hash: number, bytes: Uint8Array, from: number, to: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      if (slots[slot + 1] === hash && this.same(entry - 1, bytes, from, to)) return entry - 1;
      slot = (slot + 2) & mask;
    }
    return this.insert(slot, hash, bytes, from, to);
  }

  indexText(text: string): number {
    const bytes = Buffer.from(text, "latin1");
    return this.index(bytes, 0, bytes.length);
  }

  /**
   * The numbers of all names of `spans`. All slots are read before the first is needed: the processor waits for their cache lines together
   * and not one after the other.
   */
  indexSpans({ bytes, starts, ends }: NameSpans): Uint32Array {
    const numbers = new Uint32Array(starts.length);
    const hashes = new Int32Array(starts.length);
    const { slots } = this;
    const mask = slots.length - 1;
    let touched = 0;
    for (let i = 0; i < starts.length; i++) {
      const hash = this.hash(bytes, starts[i]!, ends[i]!);
      hashes[i] = hash;
      touched |= slots[(hash << 1) & mask]!;
    }
    this.touched = touched;
    for (let i = 0; i < starts.length; i++) numbers[i] = this.indexHashed(hashes[i]!, bytes, starts[i]!, ends[i]!);
    return numbers;
  }

  private same(name: number, bytes: Uint8Array, from: number, to: number): boolean {
    let at = this.start(name);
    if (this.ends[name]! - at !== to - from) return false;
    const own = this.bytes;
    for (let other = from; other < to; other++, at++) if (own[at] !== bytes[other]) return false;
    return true;
  }

  private insert(slot: number, hash: number, bytes: Uint8Array, from: number, to: number): number {
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
    this.slots[slot + 1] = hash;
    if (this.size * 4 > this.slots.length) this.rehash();
    return name;
  }

  private rehash(): void {
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

  private start(name: number): number {
    return name === 0 ? 0 : this.ends[name - 1]!;
  }

  /** Steps beyond the first that finding each name once takes: of the order of `size`, or the names were made to collide. */
  get detours(): number {
    const { slots } = this;
    let steps = 0;
    for (let at = 0; at < slots.length; at += 2) {
      if (slots[at] !== 0) steps += ((at - (slots[at + 1]! << 1)) & (slots.length - 1)) >> 1;
    }
    return steps;
  }

  lengthOf(name: number): number {
    return this.ends[name]! - this.start(name);
  }

  text(name: number): string {
    return this.bytes.latin1Slice(this.start(name), this.ends[name]!);
  }

  /** The name's shard of `shards`: FNV-1a over its bytes, the same on every worker. */
  shard(name: number, shards: number): number {
    let hash = 0x811c9dc5;
    for (let at = this.start(name); at < this.ends[name]!; at++) hash = Math.imul(hash ^ this.bytes[at]!, 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % shards;
  }

  /** Bytes that `packNames` writes for these names. */
  packedSize(names: ArrayLike<number>): number {
    let size = names.length;
    for (let i = 0; i < names.length; i++) size += this.lengthOf(names[i]!);
    return size;
  }

  /** Writes one length byte a name, then the names; returns where it ended. Throws a RangeError for a name of more than 255 bytes. */
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

/** The spans of `count` names packed by `packNames` at `at`. */
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

/** ASCII texts as spans. */
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
