// SPDX-License-Identifier: Apache-2.0
/**
 * The audit's own reader of archive objects: Avro object container files (Avro 1.12 specification, "Object container
 * files"), row by row, without an object per event. It shares no code with io/formats/avro, by which the stream reads
 * the same objects: a mistake in one of the two shows as a difference. Every byte of an object is read, or the object
 * is refused. The recount of minutes reads objects with it.
 */
import { zstdDecompressSync } from "node:zlib";

/** The fields of a row. Texts are byte ranges of `bytes`; `value` is NaN where the row has none. */
export interface ArchiveRow {
  bytes: Buffer;
  idFrom: number;
  idTo: number;
  videoFrom: number;
  videoTo: number;
  typeFrom: number;
  typeTo: number;
  eventTimeMs: number;
  receivedAtMs: number;
  value: number;
}

const SYNC_BYTES = 16;
const MAX_BLOCK_BYTES = 64 << 20;
/** A block is put together of pieces of this size: node's own, 16 KiB, are sixty of a usual block. */
const PIECE_BYTES = 256 << 10;
const MAGIC = Buffer.from("Obj\u0001", "latin1");
const REQUIRED = ["eventId", "videoId", "eventType", "eventTime", "receivedAt"];

/**
 * Calls `onRow` for each row, always with the same object. Throws where the object is cut, damaged, or has no events.
 * Returns the number of rows.
 */
export function readArchiveRows(object: Uint8Array, onRow: (row: ArchiveRow) => void): number {
  const file = new Cursor(Buffer.from(object.buffer, object.byteOffset, object.byteLength));
  if (!file.take(MAGIC.length).equals(MAGIC)) throw new Error("not an Avro object container file");
  const meta = readMeta(file);
  const sync = file.take(SYNC_BYTES);
  checkSchema(meta);
  const fields = fieldsOf(meta.get("avro.schema"));
  const decompress = codecOf(meta.get("avro.codec")?.toString("latin1") ?? "null");
  let rows = 0;
  while (file.at < file.bytes.length) {
    const count = file.long();
    const block = new Cursor(decompress(file.take(file.size())));
    if (!file.take(SYNC_BYTES).equals(sync)) throw new Error("a block does not end in its sync marker");
    if (count < 0 || count > block.bytes.length) throw new Error("a block claims more rows than it has bytes");
    readBlock(block, count, fields, onRow);
    rows += count;
  }
  return rows;
}

function readBlock(block: Cursor, count: number, fields: readonly Field[], onRow: (row: ArchiveRow) => void): void {
  const row: ArchiveRow = {
    bytes: block.bytes,
    ...{ idFrom: 0, idTo: 0, videoFrom: 0, videoTo: 0, typeFrom: 0, typeTo: 0 },
    ...{ eventTimeMs: 0, receivedAtMs: 0, value: Number.NaN },
  };
  const isUsual = fields === lastFields?.fields && lastFields.isUsual;
  for (let n = 0; n < count; n++) {
    row.value = Number.NaN;
    if (!isUsual || !usualRow(block, row)) for (const field of fields) field(block, row);
    onRow(row);
  }
  if (block.at !== block.bytes.length) throw new Error("bytes are left over after a block's rows");
}

/**
 * Checks the schema by the CRC-64-AVRO that our writer puts beside it. A changed bit in a field's name would otherwise
 * make another field of it.
 */
function checkSchema(meta: ReadonlyMap<string, Buffer>): void {
  const wanted = meta.get("viewmill.schema.crc64")?.toString("latin1");
  const schema = meta.get("avro.schema");
  if (wanted === undefined || schema === undefined || lastChecked?.equals(schema)) return;
  let crc = CRC_EMPTY;
  for (const byte of schema) crc = (crc >> 8n) ^ crcOf((crc ^ BigInt(byte)) & 0xffn);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(crc);
  if (bytes.toString("hex") !== wanted) throw new Error("the object's schema is damaged");
  lastChecked = Buffer.from(schema);
}

/** The schema checked last, because objects have one schema for years. */
let lastChecked: Buffer | undefined;

const CRC_EMPTY = 0xc15d213aa4d7a795n;

/** The CRC of one byte without a table (Avro specification, "Schema Fingerprints"). */
function crcOf(byte: bigint): bigint {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? CRC_EMPTY : 0n);
  return crc;
}

/** Reads one field of a row, or skips what the audit does not need. */
type Field = (block: Cursor, row: ArchiveRow) => void;

type AvroSchema = string | AvroSchema[] | { type: AvroSchema; [member: string]: unknown };

function fieldsOf(text: Buffer | undefined): readonly Field[] {
  if (text === undefined || lastFields?.text.equals(text) !== true)
    lastFields = { text: Buffer.from(text ?? ""), ...fieldsOfSchema(text) };
  return lastFields.fields;
}

/** The fields of the schema read last, because objects have one schema for years. */
let lastFields: { text: Buffer; fields: readonly Field[]; isUsual: boolean } | undefined;

/** The schema of all objects so far, field by field; a union's branches are joined by |. */
const USUAL_FIELDS =
  "eventId string, videoId string, eventType string, eventTime long, value null|long, receivedAt long, extra null|string";
/** No text of a usual row is as long; a longer one is read field by field. */
const MAX_USUAL_ROW_BYTES = 512;

/**
 * Reads a row of USUAL_FIELDS that has a short id, short names, times of this century, no value and no extra fields:
 * nearly all have. Any other row is left to the fields: false, and nothing has moved.
 */
function usualRow(block: Cursor, row: ArchiveRow): boolean {
  const { bytes } = block;
  let at = block.at;
  // Every byte that is looked at is within the block.
  if (bytes.length - at < MAX_USUAL_ROW_BYTES) return false;
  const idBytes = bytes[at++]!;
  const idFrom = at;
  at += idBytes >>> 1;
  const videoBytes = bytes[at++]!;
  const videoFrom = at;
  at += videoBytes >>> 1;
  const typeBytes = bytes[at++]!;
  const typeFrom = at;
  at += typeBytes >>> 1;
  // A length of two bytes, or a negative one.
  if ((idBytes | videoBytes | typeBytes) > 127 || ((idBytes | videoBytes | typeBytes) & 1) !== 0) return false;
  const eventTimeMs = sixByteLong(bytes, at);
  const receivedAtMs = sixByteLong(bytes, at + 7);
  if (eventTimeMs < 0 || receivedAtMs < 0 || bytes[at + 6] !== 0 || bytes[at + 13] !== 0) return false;
  row.idFrom = idFrom;
  row.idTo = idFrom + (idBytes >>> 1);
  row.videoFrom = videoFrom;
  row.videoTo = videoFrom + (videoBytes >>> 1);
  row.typeFrom = typeFrom;
  row.typeTo = typeFrom + (typeBytes >>> 1);
  row.eventTimeMs = eventTimeMs;
  row.receivedAtMs = receivedAtMs;
  block.at = at + 14;
  return true;
}

/** A positive zigzag varint of exactly six bytes; -1: something else is there. */
function sixByteLong(bytes: Buffer, at: number): number {
  const [b0, b1, b2] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!];
  const [b3, b4, b5] = [bytes[at + 3]!, bytes[at + 4]!, bytes[at + 5]!];
  if ((b0 & b1 & b2 & b3 & b4 & 0x80) === 0 || b5 > 127 || (b0 & 1) === 1) return -1;
  const low = (b0 & 127) | ((b1 & 127) << 7) | ((b2 & 127) << 14) | ((b3 & 127) << 21);
  const high = (b4 & 127) | (b5 << 7);
  return high * 2 ** 27 + low / 2;
}

function fieldsOfSchema(text: Buffer | undefined): { fields: Field[]; isUsual: boolean } {
  const schema = JSON.parse(text?.toString("utf8") ?? "null") as {
    fields?: { name: string; type: AvroSchema }[];
  } | null;
  const fields = schema?.fields ?? [];
  const names = new Set(fields.map(({ name }) => name));
  const missing = REQUIRED.filter((name) => !names.has(name));
  if (missing.length > 0) throw new Error(`the object's schema has no ${missing.join(", no ")}`);
  const isUsual = fields.map(({ name, type }) => `${name} ${branchesOf(type)}`).join(", ") === USUAL_FIELDS;
  return { fields: fields.map(({ name, type }) => KNOWN[name]?.(type) ?? skipping(type)), isUsual };
}

const KNOWN: Record<string, (type: AvroSchema) => Field> = {
  eventId: expecting("string", (block, row) => {
    const size = block.size();
    row.idFrom = block.at;
    row.idTo = block.skip(size);
  }),
  videoId: expecting("string", (block, row) => {
    const size = block.size();
    row.videoFrom = block.at;
    row.videoTo = block.skip(size);
  }),
  eventType: expecting("string", (block, row) => {
    const size = block.size();
    row.typeFrom = block.at;
    row.typeTo = block.skip(size);
  }),
  eventTime: expecting("long", (block, row) => {
    row.eventTimeMs = block.long();
  }),
  receivedAt: expecting("long", (block, row) => {
    row.receivedAtMs = block.long();
  }),
  value: (type) => {
    const branches = (Array.isArray(type) ? type : [type]).map(nameOf);
    const long = branches.indexOf("long");
    if (long < 0 || branches.some((name) => name !== "null" && name !== "long")) throw new Error("value is no long");
    return (block, row) => {
      const branch = Array.isArray(type) ? block.branch(branches.length) : long;
      if (branch === long) row.value = block.long();
    };
  },
};

function expecting(wanted: string, field: Field): (type: AvroSchema) => Field {
  return (type) => {
    if (nameOf(type) !== wanted) throw new Error(`a field of the object's schema is no ${wanted}`);
    return field;
  };
}

const branchesOf = (type: AvroSchema): string => (Array.isArray(type) ? type : [type]).map(nameOf).join("|");

function nameOf(type: AvroSchema): string {
  if (typeof type === "string") return type;
  return Array.isArray(type) ? "union" : nameOf(type.type);
}

/** Returns the field that skips a primitive, or a union of primitives, of another version of the schema. */
function skipping(type: AvroSchema): Field {
  if (Array.isArray(type)) {
    const branches = type.map(skipping);
    return (block, row) => branches[block.branch(branches.length)]!(block, row);
  }
  switch (nameOf(type)) {
    case "null":
      return () => undefined;
    case "boolean":
      return (block) => void block.skip(1);
    case "int":
    case "long":
      return (block) => void block.long();
    case "float":
      return (block) => void block.skip(4);
    case "double":
      return (block) => void block.skip(8);
    case "bytes":
    case "string":
      return (block) => void block.skip(block.size());
    default:
      throw new Error(`a field of the object's schema is of the type ${nameOf(type)}, which the audit cannot skip`);
  }
}

function readMeta(file: Cursor): Map<string, Buffer> {
  const meta = new Map<string, Buffer>();
  for (let count = file.long(); count !== 0; count = file.long()) {
    if (count < 0) file.long();
    for (let n = Math.abs(count); n > 0; n--) {
      const name = file.take(file.size()).toString("utf8");
      meta.set(name, file.take(file.size()));
    }
  }
  return meta;
}

function codecOf(name: string): (data: Buffer) => Buffer {
  if (name === "null") return (data) => data;
  if (name !== "zstandard") throw new Error(`the codec ${name} is unknown`);
  return decompress;
}

/** Decompresses all frames of a block. Node stops behind the first frame, and reports how far it read. */
function decompress(data: Buffer): Buffer {
  const frames: Buffer[] = [];
  let left = MAX_BLOCK_BYTES;
  for (let at = 0; at < data.length; ) {
    const options = { info: true, maxOutputLength: left, chunkSize: PIECE_BYTES };
    const { buffer, engine } = zstdDecompressSync(data.subarray(at), options) as unknown as Frame;
    if (engine.bytesWritten === 0) throw new Error("bytes are left over after a block's zstandard frames");
    at += engine.bytesWritten;
    left = Math.max(1, left - buffer.length);
    frames.push(buffer);
  }
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames);
}

interface Frame {
  buffer: Buffer;
  /** The bytes read of the input. */
  engine: { bytesWritten: number };
}

/** Reads bytes from left to right, never beyond the end. */
class Cursor {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  /** Reads a zigzag varint of at most 2^53 - 1 in size. */
  long(): number {
    const { bytes } = this;
    let raw = 0;
    let factor = 1;
    for (let n = 0; n < 10; n++) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new Error("the object is cut");
      raw += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        // Beyond 2^53 the sum has been rounded: 2^54 is the zigzag form of 2^53.
        if (raw >= 2 ** 53) return this.#large(n + 1);
        return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
      }
      factor *= 128;
    }
    throw new Error("a number has more than ten bytes");
  }

  #large(size: number): number {
    let raw = 0n;
    for (let n = 0; n < size; n++) raw |= BigInt(this.bytes[this.at - size + n]! & 0x7f) << BigInt(7 * n);
    const value = Number(raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n);
    if (!Number.isSafeInteger(value)) throw new Error("a number beyond 2^53 is in the archive");
    return value;
  }

  size(): number {
    const size = this.long();
    if (size < 0) throw new Error("a size is negative");
    return size;
  }

  branch(branches: number): number {
    const branch = this.long();
    if (branch < 0 || branch >= branches) throw new Error("a union has a branch that its schema has not");
    return branch;
  }

  /** Moves on by `size`; returns the new position. */
  skip(size: number): number {
    this.at += size;
    if (this.at > this.bytes.length) throw new Error("the object is cut");
    return this.at;
  }

  take(size: number): Buffer {
    const from = this.at;
    return this.bytes.subarray(from, this.skip(size));
  }
}
