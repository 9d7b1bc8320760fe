// SPDX-License-Identifier: Apache-2.0
/**
 * Avro's binary encoding (Avro 1.12 specification, "Binary encoding"), by hand for the few types that the hot path
 * needs. A library makes an object for each event, which costs more than all other work together (docs/decisions).
 * Tests compare the codec with avsc. The batches and objects of this folder are written and read with it.
 */
import { uint32Column } from "../../../domain/columns/column-memory";
import { grown, type NameSpans } from "../../../domain/columns/name-table";

declare global {
  /** Node's own fast paths behind Buffer.toString and Buffer.write: every Node has them, and its types omit them. */
  interface Buffer {
    latin1Slice(start: number, end: number): string;
    utf8Slice(start: number, end: number): string;
    utf8Write(text: string, offset: number): number;
  }
}

const TWO_28 = 2 ** 28;
const TWO_27 = 2 ** 27;

/** Thrown for bytes that do not match the schema, or end too soon. */
export class AvroError extends Error {
  override readonly name = "AvroError";
}

/** The bound of Avro's int. */
const INT_LIMIT = 2 ** 31;
/** The largest message, because spans keep positions in 32 bits. */
const MAX_MESSAGE_BYTES = 2 ** 32 - 1;

/** The indexes that are being read, before they are checked. */
let readIndexes = new Float64Array(1024);

export class AvroReader {
  /** Throws AvroError for 4 GiB and more. */
  constructor(
    private readonly bytes: Buffer,
    public position = 0,
  ) {
    if (bytes.length > MAX_MESSAGE_BYTES)
      throw new AvroError(`${bytes.length} bytes; at most ${MAX_MESSAGE_BYTES} are read`);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  /** Reads a zigzag varint. Exact for |value| < 2^53; NaN for any larger int64, which JavaScript cannot hold. */
  long(): number {
    const bytes = this.bytes;
    let byte = bytes[this.position++];
    if (byte === undefined) throw new AvroError("the data ends inside a number");
    let low = byte & 127;
    if (byte < 128) return (low >>> 1) ^ -(low & 1);
    let shift = 7;
    do {
      byte = bytes[this.position++];
      if (byte === undefined) throw new AvroError("the data ends inside a number");
      low |= (byte & 127) << shift;
      shift += 7;
    } while (byte >= 128 && shift < 28);
    if (byte < 128) return (low >>> 1) ^ -(low & 1);
    return this.longTail(low >>> 0);
  }

  private longTail(low: number): number {
    let high = 0;
    let scale = 1;
    for (let i = 0; i < 6; i++) {
      const byte = this.bytes[this.position++];
      if (byte === undefined) throw new AvroError("the data ends inside a number");
      high += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) {
        const magnitude = high * TWO_27 + Math.floor(low / 2);
        if (high >= TWO_28 || magnitude > Number.MAX_SAFE_INTEGER) return Number.NaN;
        if ((low & 1) === 0) return magnitude;
        return magnitude === Number.MAX_SAFE_INTEGER ? Number.NaN : -magnitude - 1;
      }
    }
    throw new AvroError("a number has more than 10 bytes");
  }

  /** Reads a count or an index: a long that must be a non-negative integer below 2^31. */
  size(): number {
    const value = this.long();
    if (!(value >= 0 && value < INT_LIMIT)) throw new AvroError("a negative or oversized length");
    return value;
  }

  /** Returns a view, not a copy. */
  take(length: number): Buffer {
    if (length > this.remaining) throw new AvroError("the data ends inside a value");
    const view = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return view;
  }

  string(): string {
    const length = this.size();
    if (length > this.remaining) throw new AvroError("the data ends inside a string");
    const start = this.position;
    this.position += length;
    const bytes = this.bytes;
    for (let at = start; at < this.position; at++) {
      if (bytes[at]! > 127) return bytes.utf8Slice(start, this.position);
    }
    return bytes.latin1Slice(start, this.position);
  }

  /** Reads the item count of the next block of an array, 0 at the array's end. A byte size of the block is skipped. */
  blockCount(): number {
    const count = this.long();
    if (count >= 0) return this.checkedCount(count);
    if (Number.isNaN(count)) throw new AvroError("an array block without a count");
    this.long();
    return this.checkedCount(-count);
  }

  /** Checks a count. Every item takes at least a byte, so a larger count is false and must not be allocated for. */
  private checkedCount(count: number): number {
    if (count > this.remaining) throw new AvroError("an array claims more items than there are bytes");
    return count;
  }

  /** Reads an array of strings as spans of the message, and makes no string. */
  spans(): NameSpans {
    let starts: Uint32Array = new Uint32Array(0);
    let ends = starts;
    let at = 0;
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      starts = at === 0 ? uint32Column(count) : grown(starts, uint32Column(at + count));
      ends = at === 0 ? uint32Column(count) : grown(ends, uint32Column(at + count));
      for (const end = at + count; at < end; at++) {
        const length = this.size();
        if (length > this.remaining) throw new AvroError("the data ends inside a string");
        starts[at] = this.position;
        this.position += length;
        ends[at] = this.position;
      }
    }
    return { bytes: this.bytes, starts, ends };
  }

  strings(): string[] {
    const items: string[] = [];
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      for (let i = 0; i < count; i++) items.push(this.string());
    }
    return items;
  }

  /** Reads an array of `length` numbers, and writes each plus `base` to the beginning of `target`. */
  numbersInto(target: Float64Array, length = target.length, base = 0): void {
    let at = 0;
    const { bytes } = this;
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      if (at + count > length) throw new AvroError("an array is longer than the batch");
      let { position } = this;
      for (const end = at + count; at < end; at++) {
        const byte = bytes[position]!;
        const next = bytes[position + 1]!;
        if (byte < 128) {
          target[at] = base + ((byte >>> 1) ^ -(byte & 1));
          position++;
        } else if (next < 128) {
          target[at] = base + (((next << 6) | ((byte & 127) >>> 1)) ^ -(byte & 1));
          position += 2;
        } else {
          this.position = position;
          target[at] = base + this.long();
          ({ position } = this);
        }
      }
      this.position = position;
    }
    if (at !== length) throw new AvroError("an array is shorter than the batch");
  }

  /** Reads an array of numbers from 0 to `limit` - 1 into `target`, whose length the array must have. */
  indexesInto(target: Uint32Array, limit: number): void {
    if (readIndexes.length < target.length) readIndexes = new Float64Array(target.length * 2);
    const read = readIndexes;
    this.numbersInto(read, target.length);
    for (let at = 0; at < target.length; at++) {
      const index = read[at]!;
      if (index < 0) throw new AvroError("an index is negative");
      if (!(index < limit)) throw new AvroError("an index is out of range");
      target[at] = index;
    }
  }

  numbers(): number[] {
    const items: number[] = [];
    for (let count = this.blockCount(); count > 0; count = this.blockCount()) {
      for (let i = 0; i < count; i++) items.push(this.long());
    }
    return items;
  }
}

export class AvroWriter {
  private bytes: Buffer;
  position = 0;

  constructor(sizeHint = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(sizeHint);
  }

  private reserve(more: number): void {
    if (this.position + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.position + more));
    this.bytes.copy(grown, 0, 0, this.position);
    this.bytes = grown;
  }

  /**
   * Writes a count or an index in the form that `size` reads: from 0 to 2^31-1. Throws AvroError for any other number.
   */
  size(value: number): void {
    if (!(value >= 0 && value < INT_LIMIT)) throw new AvroError(`${value} is no count or index that an int can hold`);
    this.long(value);
  }

  /** Writes a safe integer as zigzag varint. Throws AvroError for any other number. */
  long(value: number): void {
    this.reserve(10);
    const bytes = this.bytes;
    if (value >= -0x4000_0000 && value < 0x4000_0000 && (value | 0) === value) {
      let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
      while (zigzag > 127) {
        bytes[this.position++] = (zigzag & 127) | 128;
        zigzag >>>= 7;
      }
      bytes[this.position++] = zigzag;
      return;
    }
    if (!Number.isSafeInteger(value)) throw new AvroError(`${value} is not an integer within 2^53-1`);
    const magnitude = value < 0 ? -value - 1 : value;
    let high = Math.floor(magnitude / TWO_27);
    let low = (magnitude % TWO_27) * 2 + (value < 0 ? 1 : 0);
    for (let i = 0; i < 4; i++) {
      bytes[this.position++] = (low & 127) | 128;
      low >>>= 7;
    }
    while (high > 127) {
      bytes[this.position++] = (high % 128) | 128;
      high = Math.floor(high / 128);
    }
    bytes[this.position++] = high;
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.position);
    this.position += value.length;
  }

  bytesValue(value: Uint8Array): void {
    this.long(value.length);
    this.raw(value);
  }

  string(text: string): void {
    const start = this.position;
    this.long(text.length);
    this.reserve(text.length * 3);
    const written = this.bytes.utf8Write(text, this.position);
    if (written === text.length) {
      this.position += written;
      return;
    }
    this.position = start;
    this.long(written);
    this.bytes.utf8Write(text, this.position);
    this.position += written;
  }

  strings(items: Iterable<string>, count: number): void {
    if (count > 0) {
      this.long(count);
      for (const item of items) this.string(item);
    }
    this.long(0);
  }

  numbers(items: ArrayLike<number>): void {
    if (items.length > 0) {
      this.long(items.length);
      for (let i = 0; i < items.length; i++) this.long(items[i]!);
    }
    this.long(0);
  }

  /** Returns the written bytes. The writer must not be used afterwards. */
  finish(): Buffer {
    return this.bytes.subarray(0, this.position);
  }
}
