// SPDX-License-Identifier: Apache-2.0
/**
 * Rows of io/formats/schemas/event-v1.avsc straight from the columns of decoded batches: names are copied as the bytes
 * they are, the receipt time is encoded once a batch, and no row makes a string or an object. Tests hold the bytes
 * against avsc. The writer of archive objects fills its blocks with it.
 */
import { type EventColumns, eventIdOf } from "../../../domain/columns/event-columns";
import { type NameSpans, textSpans } from "../../../domain/columns/name-table";
import { ID_BYTES, isUuidBytes } from "../../../domain/event-identity";
import { AvroWriter } from "./binary";

const TWO_27 = 2 ** 27;
/**
 * The bytes of a row: a UUID, two lengths, the event time, the union branches and the value. Names and texts are added
 * to them.
 */
const ROW_BYTES = 38 + 2 * 5 + 10 + 2 + 10;
const FIRST_BYTES = 16_384;

const HEX = "0123456789abcdef";
/** The two digits of a byte, the first one in the low byte. */
const DIGITS = Uint16Array.from(
  { length: 256 },
  (_, byte) => HEX.charCodeAt(byte >>> 4) | (HEX.charCodeAt(byte & 15) << 8),
);
const HYPHEN = 0x2d;

/** The fields that the rows of a batch share. */
interface Batch {
  columns: EventColumns;
  videos: NameSpans;
  types: NameSpans;
  /** Bytes that a row takes at most, without an id that is no UUID and without the extra fields. */
  rowBytes: number;
}

export class EventRowWriter {
  position = 0;
  private bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private view = viewOf(this.bytes);
  private batch: Batch | undefined;
  private receivedAtMs = Number.NaN;
  private receivedAt: Uint8Array = new Uint8Array(0);

  private begin(columns: EventColumns): Batch {
    const videos = columns.videoSpans ?? textSpans(columns.videos);
    const types = textSpans(columns.types);
    const rowBytes = ROW_BYTES + 16 + longest(videos) + longest(types);
    return { columns, videos, types, rowBytes };
  }

  /**
   * The names of a batch are looked at once for all of its rows, so its columns must not change. Throws AvroError for a
   * number that no event has.
   */
  add(columns: EventColumns, row: number, receivedAtMs: number): void {
    if (columns !== this.batch?.columns) this.batch = this.begin(columns);
    if (receivedAtMs !== this.receivedAtMs) this.received(receivedAtMs);
    const { videos, types, rowBytes } = this.batch;
    const { receivedAt } = this;
    this.reserve(rowBytes);
    const idAt = row * ID_BYTES;
    if (isUuidBytes(columns.ids, idAt)) this.uuid(columns.ids, idAt);
    else {
      this.text(eventIdOf(columns, row));
      this.reserve(rowBytes);
    }
    this.name(videos, columns.videoIndex[row]!);
    this.name(types, columns.typeIndex[row]!);
    this.time(columns.timesMs[row]!);
    const value = columns.values?.[row];
    if (value === undefined || Number.isNaN(value)) this.bytes[this.position++] = 0;
    else {
      this.bytes[this.position++] = 2;
      this.long(value);
    }
    const { bytes } = this;
    for (let i = 0; i < receivedAt.length; i++) bytes[this.position + i] = receivedAt[i]!;
    this.position += receivedAt.length;
    const extra = columns.extras?.get(row);
    if (extra === undefined) bytes[this.position++] = 0;
    else {
      bytes[this.position++] = 2;
      this.text(extra);
    }
  }

  private received(receivedAtMs: number): void {
    const writer = new AvroWriter(16);
    writer.long(receivedAtMs);
    this.receivedAt = writer.finish();
    this.receivedAtMs = receivedAtMs;
  }

  /** The rows since the last call; they hold until the next row is added. */
  take(): Buffer {
    const rows = this.bytes.subarray(0, this.position);
    this.position = 0;
    return rows;
  }

  private reserve(more: number): void {
    if (this.position + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.position + more));
    this.bytes.copy(grown, 0, 0, this.position);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  private uuid(ids: Uint8Array, from: number): void {
    const { bytes, view } = this;
    const at = this.position;
    bytes[at] = 72;
    fourDigits(view, at + 1, ids[from]!, ids[from + 1]!);
    fourDigits(view, at + 5, ids[from + 2]!, ids[from + 3]!);
    bytes[at + 9] = HYPHEN;
    fourDigits(view, at + 10, ids[from + 4]!, ids[from + 5]!);
    bytes[at + 14] = HYPHEN;
    fourDigits(view, at + 15, ids[from + 6]!, ids[from + 7]!);
    bytes[at + 19] = HYPHEN;
    fourDigits(view, at + 20, ids[from + 8]!, ids[from + 9]!);
    bytes[at + 24] = HYPHEN;
    fourDigits(view, at + 25, ids[from + 10]!, ids[from + 11]!);
    fourDigits(view, at + 29, ids[from + 12]!, ids[from + 13]!);
    fourDigits(view, at + 33, ids[from + 14]!, ids[from + 15]!);
    this.position = at + 37;
  }

  private name({ bytes: names, starts, ends }: NameSpans, index: number): void {
    const { bytes } = this;
    const from = starts[index]!;
    const to = ends[index]!;
    let at = this.position;
    let length = (to - from) * 2;
    for (; length > 127; length >>>= 7) bytes[at++] = (length & 127) | 128;
    bytes[at++] = length;
    for (let i = from; i < to; i++) bytes[at++] = names[i]!;
    this.position = at;
  }

  /** Milliseconds of this century take six bytes; any other number goes the general way. */
  private time(timeMs: number): void {
    if (!(timeMs >= 2 ** 34 && timeMs < 2 ** 41 && Math.floor(timeMs) === timeMs)) {
      this.long(timeMs);
      return;
    }
    const { bytes } = this;
    const at = this.position;
    const high = Math.floor(timeMs / TWO_27);
    const low = (timeMs - high * TWO_27) * 2;
    bytes[at] = (low & 127) | 128;
    bytes[at + 1] = ((low >>> 7) & 127) | 128;
    bytes[at + 2] = ((low >>> 14) & 127) | 128;
    bytes[at + 3] = (low >>> 21) | 128;
    bytes[at + 4] = (high & 127) | 128;
    bytes[at + 5] = high >>> 7;
    this.position = at + 6;
  }

  private long(value: number): void {
    const writer = new AvroWriter(16);
    writer.long(value);
    this.raw(writer.finish());
  }

  private text(text: string): void {
    const writer = new AvroWriter(16 + text.length * 3);
    writer.string(text);
    this.raw(writer.finish());
  }

  private raw(value: Uint8Array): void {
    this.reserve(value.length + ROW_BYTES);
    this.bytes.set(value, this.position);
    this.position += value.length;
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer): DataView => new DataView(buffer, byteOffset, length);

function fourDigits(view: DataView, at: number, one: number, other: number): void {
  view.setUint32(at, DIGITS[one]! | (DIGITS[other]! << 16), true);
}

function longest({ starts, ends }: NameSpans): number {
  let most = 0;
  for (let i = 0; i < starts.length; i++) if (ends[i]! - starts[i]! > most) most = ends[i]! - starts[i]!;
  return most;
}
