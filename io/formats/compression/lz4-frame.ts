// SPDX-License-Identifier: Apache-2.0
/**
 * Inflates LZ4 frames (github.com/lz4/lz4, doc/lz4_Frame_format.md (1.6) and doc/lz4_Block_format.md). Node has no LZ4.
 * The packages for the frame format are native modules or check no bounds. Checksums are skipped: the broker inflated
 * the record batch and checked its CRC at the append. The adapter of Kafka needs it for topics of direct producers.
 */
const MAGIC = 0x184d2204;
const FIRST_SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MAGICS = 16;
const VERSION = 1;
const HAS_BLOCK_CHECKSUM = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_CONTENT_CHECKSUM = 0x04;
const HAS_DICTIONARY = 0x01;
const UNCOMPRESSED = 0x8000_0000;
const SMALLEST_MATCH = 4;
const FULL_NIBBLE = 15;

class Lz4Error extends Error {
  override name = "Lz4Error";
}

/**
 * Returns the content of all frames, one after the other; skippable frames are skipped. Throws `Lz4Error` where the
 * bytes are not frames up to the last byte, or hold more than `maxBytes` decompressed.
 */
export function inflateLz4(bytes: Buffer, maxBytes: number): Buffer {
  try {
    return new Frames(bytes, maxBytes).inflated();
  } catch (error) {
    if (error instanceof RangeError) throw new Lz4Error("the LZ4 frame is cut off", { cause: error });
    throw error;
  }
}

class Frames {
  #output: Buffer;
  #end = 0;

  constructor(
    private readonly input: Buffer,
    private readonly maxBytes: number,
  ) {
    this.#output = Buffer.allocUnsafe(Math.min(maxBytes, 4 * input.length));
  }

  inflated(): Buffer {
    const { input } = this;
    let at = 0;
    do {
      const magic = input.readUInt32LE(at);
      if (magic === MAGIC) at = this.#inflateFrame(at + 4);
      else if (magic >= FIRST_SKIPPABLE_MAGIC && magic < FIRST_SKIPPABLE_MAGIC + SKIPPABLE_MAGICS)
        at += 8 + input.readUInt32LE(at + 4);
      else throw new Lz4Error(`the bytes at ${at} are no LZ4 frame`);
      if (at > input.length) throw new RangeError("frame");
    } while (at < input.length);
    return this.#output.subarray(0, this.#end);
  }

  /** Inflates the frame whose descriptor is at `start`; returns the end of the frame. */
  #inflateFrame(start: number): number {
    const { input } = this;
    const before = this.#end;
    const [flags, sizes] = [input.readUInt8(start), input.readUInt8(start + 1)];
    if (flags >> 6 !== VERSION || (flags & HAS_DICTIONARY) !== 0)
      throw new Lz4Error(`an LZ4 frame with flags ${flags} is not read`);
    const blockBytes = 1 << (8 + 2 * ((sizes >> 4) & 7));
    const contentBytes = (flags & HAS_CONTENT_SIZE) === 0 ? undefined : input.readBigUInt64LE(start + 2);
    // A checksum of one byte ends the header.
    let at = start + (contentBytes === undefined ? 3 : 11);
    for (;;) {
      const size = input.readUInt32LE(at);
      at += 4;
      if (size === 0) break;
      const end = at + (size & ~UNCOMPRESSED);
      if (end > input.length) throw new RangeError("block");
      this.#makeRoom(blockBytes);
      if (size < UNCOMPRESSED) this.#inflateBlock(at, end);
      else this.#copy(at, end);
      at = (flags & HAS_BLOCK_CHECKSUM) === 0 ? end : end + 4;
    }
    const inflatedBytes = this.#end - before;
    if (contentBytes !== undefined && contentBytes !== BigInt(inflatedBytes))
      throw new Lz4Error(`an LZ4 frame of ${contentBytes} bytes holds ${inflatedBytes}`);
    return (flags & HAS_CONTENT_CHECKSUM) === 0 ? at : at + 4;
  }

  /** Makes room for this many more bytes, within the bound. */
  #makeRoom(bytes: number): void {
    if (this.#output.length - this.#end >= bytes || this.#output.length === this.maxBytes) return;
    const grown = Buffer.allocUnsafe(Math.min(this.maxBytes, Math.max(2 * this.#output.length, this.#end + bytes)));
    this.#output.copy(grown, 0, 0, this.#end);
    this.#output = grown;
  }

  #copy(from: number, to: number): void {
    if (to - from > this.#output.length - this.#end) throw this.#tooLarge();
    this.#end += this.input.copy(this.#output, this.#end, from, to);
  }

  /**
   * Inflates a block: sequences of literals and of a match, which repeats earlier output. A block ends with literals.
   */
  #inflateBlock(from: number, end: number): void {
    const { input } = this;
    let at = from;
    /** A length that exceeds its half of the token continues in further bytes, up to the first byte below 255. */
    const rest = (): number => {
      let sum = 0;
      for (let more = 255; more === 255; sum += more) {
        if (at >= end) throw new RangeError("length");
        more = input[at++]!;
      }
      return sum;
    };
    while (at < end) {
      const token = input[at++]!;
      let literals = token >> 4;
      if (literals === FULL_NIBBLE) literals += rest();
      this.#copy(at, at + literals);
      at += literals;
      if (at === end) return;
      if (end - at < 2) throw new RangeError("literals, or the offset behind them");
      const distance = input.readUInt16LE(at);
      at += 2;
      let length = token & FULL_NIBBLE;
      if (length === FULL_NIBBLE) length += rest();
      this.#repeat(distance, length + SMALLEST_MATCH);
    }
  }

  #repeat(distance: number, length: number): void {
    const [output, start] = [this.#output, this.#end];
    if (distance === 0 || distance > start)
      throw new Lz4Error(`an LZ4 match ${distance} bytes back, where ${start} are`);
    if (length > output.length - start) throw this.#tooLarge();
    this.#end += length;
    if (distance >= length) output.copyWithin(start, start - distance, start - distance + length);
    else for (let to = start; to < start + length; to++) output[to] = output[to - distance]!;
  }

  #tooLarge = () => new Lz4Error(`more than ${this.maxBytes} bytes in an LZ4 frame, or in a block of it than it says`);
}
