// SPDX-License-Identifier: Apache-2.0
/**
 * The archive's objects: Avro container files of events. The stream, the archiver and backfills write them, and bounded
 * runs read them again; the audit has a reader of its own (transforms/archive-rows.ts).
 */
import { Type } from "avsc";
import { type EventColumns, EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { isEventId, isEventType, isVideoId, MAX_TIME_MS, minuteOf, type VideoEvent } from "../../../domain/event";
import { ID_BYTES, writeEventId, writeUuidText } from "../../../domain/event-identity";
import { AvroError, AvroReader } from "./binary";
import { ContainerWriter, fileSchema, openContainer } from "./container";
import { EventRowWriter } from "./event-rows";

/**
 * Archive objects: plain Avro object container files (zstandard) of io/formats/schemas/event-v1.avsc, one row per
 * event, readable by any Avro reader. The same rows under the same name give the same bytes, and a flipped bit is found
 * (container.ts).
 */
const eventSchema = fileSchema("event-v1");
const eventType = Type.forSchema(JSON.parse(eventSchema.text));
const BLOCK_BYTES = 1 << 20;
/** A row has at least five values and two union branches, each of at least one byte. */
const MIN_ROW_BYTES = 7;
/** The largest decompressed size that a block may claim (ours are about 1 MiB). */
const MAX_BLOCK_BYTES = 64 << 20;

export class ArchiveObjectWriter {
  private readonly file: ContainerWriter;
  private readonly rows = new EventRowWriter();
  private rowCount = 0;
  /** The number of rows written. */
  events = 0;

  constructor(fileName: string) {
    this.file = new ContainerWriter(fileName, eventSchema);
  }

  /**
   * Adds a row. The columns of a batch must not change from its first row to its last. Throws AvroError for an event
   * too large to be read back (64 MiB), or with a number that no event can have.
   */
  add(columns: EventColumns, row: number, receivedAtMs: number): void {
    this.rows.add(columns, row, receivedAtMs);
    this.events++;
    this.rowCount++;
    if (this.rows.position >= BLOCK_BYTES) this.endBlock();
  }

  private endBlock(): void {
    if (this.rowCount === 0) return;
    const rows = this.rows.take();
    if (rows.length > MAX_BLOCK_BYTES) throw new AvroError(`a block of ${rows.length} bytes could not be read back`);
    this.file.addBlock(this.rowCount, rows);
    this.rowCount = 0;
  }

  /** Returns the whole object. The writer must not be used afterwards. */
  finish(): Buffer {
    this.endBlock();
    return this.file.finish();
  }
}

interface ArchivedBlock {
  columns: EventColumns;
  /** Epoch milliseconds of each row. */
  receivedAtMs: Float64Array;
}

/**
 * Yields the events of an object, a block at a time. Throws AvroError where the object is cut, damaged or of another
 * schema. With `minute`, an event of another minute counts as damage, too.
 */
export function* readArchiveObject(content: Uint8Array, minute?: number): Generator<ArchivedBlock> {
  const file = openContainer(content, eventSchema, MAX_BLOCK_BYTES);
  const other = file.otherSchema === undefined ? undefined : otherSchema(file.otherSchema);
  for (const { rowCount, rows } of file.blocks) {
    const block = other === undefined ? decodeRows(rows, rowCount) : decodeOtherRows(rows, rowCount, other);
    if (minute !== undefined && block.columns.timesMs.some((timeMs) => minuteOf(timeMs) !== minute)) {
      throw new AvroError("an event of another minute is in the object");
    }
    yield block;
  }
}

function decodeRows(rows: Buffer, count: number): ArchivedBlock {
  if (count * MIN_ROW_BYTES > rows.length) throw new AvroError("a block claims more rows than it has bytes");
  const reader = new AvroReader(rows);
  const ids = new Uint8Array(count * ID_BYTES);
  const videos = new Map<string, number>();
  const types = new Map<string, number>();
  const hashedIds = new Map<number, string>();
  const extras = new Map<number, string>();
  const videoIndex = new Uint32Array(count);
  const typeIndex = new Uint32Array(count);
  const timesMs = new Float64Array(count);
  const receivedAtMs = new Float64Array(count);
  let values: Float64Array | undefined;
  for (let row = 0; row < count; row++) {
    const idText = reader.take(reader.size());
    if (idText.length !== 36 || !writeUuidText(idText, 0, ids, row * ID_BYTES)) {
      const eventId = idText.latin1Slice(0, idText.length);
      if (!isEventId(eventId)) throw new AvroError("an eventId breaks the contract");
      writeEventId(eventId, ids, row * ID_BYTES);
      hashedIds.set(row, eventId);
    }
    videoIndex[row] = intern(videos, reader.string(), isVideoId);
    typeIndex[row] = intern(types, reader.string(), isEventType);
    timesMs[row] = time(reader.long());
    if (isPresent(reader.long())) {
      values ??= new Float64Array(count).fill(Number.NaN);
      values[row] = safe(reader.long());
    }
    receivedAtMs[row] = safe(reader.long());
    if (isPresent(reader.long())) extras.set(row, reader.string());
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

/** Returns the branch of a ["null", ...] union. */
function isPresent(branch: number): boolean {
  if (branch !== 0 && branch !== 1) throw new AvroError("a union has a branch that its schema has not");
  return branch === 1;
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new AvroError("a number beyond 2^53-1");
  return value;
}

function time(timeMs: number): number {
  if (!(timeMs >= 0 && timeMs <= MAX_TIME_MS)) throw new AvroError("an event time breaks the contract");
  return timeMs;
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

/** Reads rows of an older or newer schema by avsc's schema resolution. */
function decodeOtherRows(rows: Buffer, count: number, { resolver }: OtherSchema): ArchivedBlock {
  if (count > rows.length) throw new AvroError("a block claims more rows than it has bytes");
  const builder = new EventColumnsBuilder();
  const receivedAtMs = new Float64Array(count);
  let offset = 0;
  for (let row = 0; row < count; row++) {
    const decoded = decodeOtherRow(rows, offset, resolver);
    if (decoded.value === undefined || decoded.offset < 0) throw new AvroError("a block ends inside a row");
    offset = decoded.offset;
    const { extra, receivedAt } = decoded.value;
    builder.add(checkedEvent(decoded.value), extra ?? undefined);
    receivedAtMs[row] = safe(Number(receivedAt));
  }
  if (offset !== rows.length) throw new AvroError("bytes are left over after a block's rows");
  return { columns: builder.build(), receivedAtMs };
}

function decodeOtherRow(rows: Buffer, offset: number, resolver: OtherSchema["resolver"]) {
  try {
    return eventType.decode(rows, offset, resolver) as { value?: EventRow; offset: number };
  } catch (error) {
    throw new AvroError(`a row cannot be read: ${(error as Error).message}`);
  }
}

function checkedEvent({ eventId, videoId, eventType: type, eventTime, value, extra }: EventRow): VideoEvent {
  if (!isEventId(eventId) || !isVideoId(videoId) || !isEventType(type)) {
    throw new AvroError("an eventId, videoId or eventType breaks the contract");
  }
  const event: VideoEvent = { eventId, videoId, eventType: type, eventTimeMs: time(Number(eventTime)) };
  if (value !== null) event.value = safe(value);
  // The builder gets the text, and needs of the event only the sign that it has an extra.
  if (extra !== null) event.extra = {};
  return event;
}

function intern(ids: Map<string, number>, text: string, isGood: (text: string) => boolean): number {
  let id = ids.get(text);
  if (id === undefined) {
    if (!isGood(text)) throw new AvroError("a videoId or an eventType breaks the contract");
    id = ids.size;
    ids.set(text, id);
  }
  return id;
}
