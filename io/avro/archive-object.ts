import { createHash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Type } from "avsc";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { type EventColumns, EventColumnsBuilder, eventIdOf } from "../../domain/event-columns";
import { ID_BYTES, isUuidBytes, writeEventId, writeUuidText } from "../../domain/event-identity";
import { AvroError, AvroReader, AvroWriter } from "./binary";
import { shippedSchema } from "./schema-registry";

/**
 * Archive objects: plain Avro object container files (zstandard) of io/schemas/event-v1.avsc, one row an event, readable by any Avro
 * reader. The same rows under the same name give the same bytes.
 */
const schemaText = JSON.stringify(shippedSchema("event-v1"));
const eventType = Type.forSchema(JSON.parse(schemaText));
const MAGIC = Buffer.from("Obj\x01", "latin1");
const BLOCK_BYTES = 1 << 20;
/** A block that claims to be larger decompressed is refused (ours are about 1 MiB). */
const MAX_BLOCK_BYTES = 64 << 20;

export class ArchiveObjectWriter {
  private readonly blocks: Buffer[] = [];
  private rows = new AvroWriter(16_384);
  private rowCount = 0;
  private readonly sync: Buffer;
  /** Rows written so far. */
  events = 0;

  constructor(fileName: string) {
    this.sync = createHash("sha256").update(fileName).digest().subarray(0, 16);
  }

  add(columns: EventColumns, row: number, receivedAtMs: number): void {
    const rows = this.rows;
    const at = row * ID_BYTES;
    if (isUuidBytes(columns.ids, at)) rows.uuid(columns.ids, at);
    else rows.string(eventIdOf(columns, row));
    rows.string(columns.videos[columns.videoIndex[row]!]!);
    rows.string(columns.types[columns.typeIndex[row]!]!);
    rows.long(columns.timesMs[row]!);
    const value = columns.values?.[row];
    if (value === undefined || Number.isNaN(value)) rows.long(0);
    else {
      rows.long(1);
      rows.long(value);
    }
    rows.long(receivedAtMs);
    const extra = columns.extras?.get(row);
    if (extra === undefined) rows.long(0);
    else {
      rows.long(1);
      rows.string(extra);
    }
    this.events++;
    this.rowCount++;
    if (rows.position >= BLOCK_BYTES) this.endBlock();
  }

  private endBlock(): void {
    if (this.rowCount === 0) return;
    const packed = zstdCompressSync(this.rows.finish());
    const head = new AvroWriter(20);
    head.long(this.rowCount);
    head.long(packed.length);
    this.blocks.push(head.finish(), packed, this.sync);
    this.rows = new AvroWriter(16_384);
    this.rowCount = 0;
  }

  /** The whole object. The writer must not be used afterwards. */
  finish(): Buffer {
    this.endBlock();
    const head = new AvroWriter(1024);
    head.raw(MAGIC);
    head.long(2);
    head.string("avro.schema");
    head.string(schemaText);
    head.string("avro.codec");
    head.string("zstandard");
    head.long(0);
    head.raw(this.sync);
    return Buffer.concat([head.finish(), ...this.blocks]);
  }
}

export interface ArchivedBlock {
  columns: EventColumns;
  /** Epoch milliseconds, a row. */
  receivedAtMs: Float64Array;
}

/**
 * The events of an object, a block at a time. Throws AvroError where the object is cut, damaged or of another schema. With `minute`
 * an event of another minute is damage, too.
 */
export function* readArchiveObject(content: Uint8Array, minute?: number): Generator<ArchivedBlock> {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const reader = new AvroReader(bytes);
  const { schema, codec } = readHeader(reader);
  const sync = reader.take(16);
  const ours = schema === schemaText;
  const other = ours ? undefined : otherSchema(schema);
  while (reader.remaining > 0) {
    const rowCount = reader.size();
    const packed = reader.take(reader.size());
    if (reader.take(16).compare(sync) !== 0) throw new AvroError("a block does not end in the object's sync marker");
    const rows = unpack(packed, codec);
    const block = other === undefined ? decodeRows(rows, rowCount) : decodeOtherRows(rows, rowCount, other);
    if (minute !== undefined && block.columns.timesMs.some((timeMs) => minuteOf(timeMs) !== minute)) {
      throw new AvroError("an event of another minute is in the object");
    }
    yield block;
  }
}

function readHeader(reader: AvroReader): { schema: string; codec: string } {
  if (reader.take(4).compare(MAGIC) !== 0) throw new AvroError("not an Avro object container file");
  const metadata = new Map<string, string>();
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let i = 0; i < count; i++) metadata.set(reader.string(), reader.take(reader.size()).toString("utf8"));
  }
  return { schema: metadata.get("avro.schema") ?? "", codec: metadata.get("avro.codec") ?? "null" };
}

function unpack(packed: Buffer, codec: string): Buffer {
  if (codec === "null") return packed;
  if (codec !== "zstandard") throw new AvroError(`codec ${codec} is not known`);
  try {
    return zstdDecompressSync(packed, { maxOutputLength: MAX_BLOCK_BYTES });
  } catch (error) {
    throw new AvroError(`a block cannot be decompressed: ${(error as Error).message}`);
  }
}

function decodeRows(rows: Buffer, count: number): ArchivedBlock {
  if (count > rows.length) throw new AvroError("a block claims more rows than it has bytes");
  const reader = new AvroReader(rows);
  const ids = new Uint8Array(count * ID_BYTES);
  const videos = new Map<string, number>();
  const types = new Map<string, number>();
  const hashedIds = new Map<number, string>();
  const extras = new Map<number, string>();
  const videoIndex = new Uint32Array(count);
  const typeIndex = new Uint16Array(count);
  const timesMs = new Float64Array(count);
  const receivedAtMs = new Float64Array(count);
  let values: Float64Array | undefined;
  for (let row = 0; row < count; row++) {
    const idText = reader.take(reader.size());
    if (idText.length !== 36 || !writeUuidText(idText, 0, ids, row * ID_BYTES)) {
      const eventId = idText.latin1Slice(0, idText.length);
      writeEventId(eventId, ids, row * ID_BYTES);
      hashedIds.set(row, eventId);
    }
    videoIndex[row] = intern(videos, reader.string());
    typeIndex[row] = intern(types, reader.string());
    timesMs[row] = reader.long();
    if (reader.long() === 1) {
      values ??= new Float64Array(count).fill(Number.NaN);
      values[row] = reader.long();
    }
    receivedAtMs[row] = reader.long();
    if (reader.long() === 1) extras.set(row, reader.string());
  }
  if (reader.remaining > 0) throw new AvroError("bytes are left over after a block's rows");
  const columns: EventColumns = {
    count,
    ids,
    videos: [...videos.keys()],
    videoIndex,
    types: [...types.keys()],
    typeIndex,
    timesMs,
  };
  if (values !== undefined) columns.values = values;
  if (hashedIds.size > 0) columns.hashedIds = hashedIds;
  if (extras.size > 0) columns.extras = extras;
  return { columns, receivedAtMs };
}

interface EventRow {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
  value: number | null;
  receivedAt: number;
  extra: string | null;
}

interface OtherSchema {
  type: Type;
  resolver: ReturnType<Type["createResolver"]>;
}

function otherSchema(schema: string): OtherSchema {
  try {
    const type = Type.forSchema(JSON.parse(schema));
    return { type, resolver: eventType.createResolver(type) };
  } catch (error) {
    throw new AvroError(`the object's schema cannot be read as events: ${(error as Error).message}`);
  }
}

/** Rows of an older or newer schema, by avsc's schema resolution. */
function decodeOtherRows(rows: Buffer, count: number, { resolver }: OtherSchema): ArchivedBlock {
  const builder = new EventColumnsBuilder();
  const receivedAtMs = new Float64Array(count);
  let offset = 0;
  for (let row = 0; row < count; row++) {
    const decoded = eventType.decode(rows, offset, resolver) as { value?: EventRow; offset: number };
    if (decoded.value === undefined || decoded.offset < 0) throw new AvroError("a block ends inside a row");
    offset = decoded.offset;
    const { eventId, videoId, eventType: type, eventTime, value, receivedAt, extra } = decoded.value;
    const event: VideoEvent = { eventId, videoId, eventType: type, eventTimeMs: Number(eventTime) };
    if (value !== null) event.value = value;
    if (extra !== null) event.extra = JSON.parse(extra) as Record<string, unknown>;
    builder.add(event);
    receivedAtMs[row] = Number(receivedAt);
  }
  return { columns: builder.build(), receivedAtMs };
}

function intern(ids: Map<string, number>, text: string): number {
  let id = ids.get(text);
  if (id === undefined) {
    id = ids.size;
    ids.set(text, id);
  }
  return id;
}
