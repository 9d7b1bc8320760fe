// SPDX-License-Identifier: Apache-2.0
/**
 * The message of the log: a batch of events by column, as one Avro message. The write API appends such batches, and the
 * readers of the log decode them.
 */
import type { Type } from "avsc";
import { float64Column, uint32Column } from "../../../domain/columns/column-memory";
import type { EventColumns } from "../../../domain/columns/event-columns";
import { type NameSpans, spanTexts } from "../../../domain/columns/name-table";
import { ID_BYTES } from "../../../domain/event-identity";
import { DEPTH_SCAN_BYTES, MAX_JSON_DEPTH, nestsDeeperThan } from "../../../domain/json-depth";
import { AvroError, AvroReader, AvroWriter } from "./binary";
import { shippedSchema } from "./schema-registry";
import { schemas } from "./schemas";

/**
 * The batch message: Avro single-object encoding (C3 01, 8 bytes of schema fingerprint, body) of
 * io/formats/schemas/batch-v1.avsc. Producers, the log and the topics carry it. Code by hand reads and writes the
 * current schema; avsc's schema resolution reads any other known one.
 */
interface BatchHeader {
  /** Epoch milliseconds at receipt; 0 while a producer holds the batch. */
  receivedAtMs: number;
  producerId: string;
  batchId: string;
}

export interface DecodedBatch extends BatchHeader {
  columns: EventColumns;
}

/** Thrown for bytes that are no batch message, or a message of an unregistered schema. */
export class BatchFormatError extends Error {
  override readonly name = "BatchFormatError";
  constructor(
    readonly reason: "not-avro" | "unknown-schema",
    detail: string,
  ) {
    super(detail);
  }
}

const current = schemas.add("batch-v1", shippedSchema("batch-v1"));
/** The first bytes of every batch message of the current schema. */
export const BATCH_PREFIX = Buffer.concat([Buffer.from([0xc3, 0x01]), current.fingerprint]);
const MAX_TYPES = 65_536;

/**
 * Encodes a batch. Throws BatchFormatError for more types than `decodeBatch` reads, AvroError for numbers that no event
 * can have.
 */
export function encodeBatch(columns: EventColumns, header: BatchHeader): Buffer {
  if (columns.types.length > MAX_TYPES) {
    throw new BatchFormatError(
      "not-avro",
      `${columns.types.length} event types in one batch; at most ${MAX_TYPES} fit`,
    );
  }
  const writer = new AvroWriter(256 + columns.count * 32 + columns.videos.length * 16);
  writer.raw(BATCH_PREFIX);
  writer.long(header.receivedAtMs);
  writer.string(header.producerId);
  writer.string(header.batchId);
  writer.size(columns.count);
  writer.bytesValue(columns.ids);
  writer.strings(columns.videos, columns.videos.length);
  writer.numbers(columns.videoIndex);
  writer.strings(columns.types, columns.types.length);
  writer.numbers(columns.typeIndex);
  writeTimes(writer, columns.timesMs);
  writeValues(writer, columns.values);
  writeSparseText(writer, columns.hashedIds);
  writeSparseText(writer, columns.extras);
  return writer.finish();
}

function writeTimes(writer: AvroWriter, timesMs: Float64Array): void {
  const baseMs = timesMs[0] ?? 0;
  writer.long(baseMs);
  if (timesMs.length > 0) {
    writer.long(timesMs.length);
    for (let row = 0; row < timesMs.length; row++) writer.long(timesMs[row]! - baseMs);
  }
  writer.long(0);
}

function writeValues(writer: AvroWriter, values: Float64Array | undefined): void {
  const rows: number[] = [];
  const present: number[] = [];
  if (values !== undefined) {
    for (let row = 0; row < values.length; row++) {
      if (Number.isNaN(values[row]!)) continue;
      rows.push(row);
      present.push(values[row]!);
    }
  }
  writer.numbers(rows);
  writer.numbers(present);
}

function writeSparseText(writer: AvroWriter, texts: ReadonlyMap<number, string> | undefined): void {
  writer.numbers(texts === undefined ? [] : [...texts.keys()]);
  writer.strings(texts?.values() ?? [], texts?.size ?? 0);
}

/** Returns the message with another receipt and producer. The rest of the bytes is copied, not decoded. */
export function withReceivedAt(
  payload: Uint8Array,
  receivedAtMs: number,
  producerOf: (producerId: string) => string = (producerId) => producerId,
): Buffer {
  const bytes = asBuffer(payload);
  if (!hasCurrentPrefix(bytes)) {
    const { columns, producerId, batchId } = decodeBatch(bytes);
    return encodeBatch(columns, { receivedAtMs, producerId: producerOf(producerId), batchId });
  }
  const reader = new AvroReader(bytes, BATCH_PREFIX.length);
  reader.long();
  const producerId = producerOf(reader.string());
  const writer = new AvroWriter(bytes.length + producerId.length + 32);
  writer.raw(BATCH_PREFIX);
  writer.long(receivedAtMs);
  writer.string(producerId);
  writer.raw(bytes.subarray(reader.position));
  return writer.finish();
}

/**
 * Decodes one batch message and checks its shape. `validateColumns` checks ids, names, times and values. Throws
 * BatchFormatError.
 */
export function decodeBatch(payload: Uint8Array): DecodedBatch {
  const bytes = asBuffer(payload);
  if (bytes.length < BATCH_PREFIX.length || bytes[0] !== 0xc3 || bytes[1] !== 0x01) {
    throw new BatchFormatError("not-avro", "the body is not an Avro single-object encoding (C3 01)");
  }
  try {
    if (hasCurrentPrefix(bytes)) return decodeCurrent(bytes);
    return decodeOther(bytes);
  } catch (error) {
    if (error instanceof BatchFormatError) throw error;
    throw new BatchFormatError("not-avro", error instanceof Error ? error.message : String(error));
  }
}

function hasCurrentPrefix(bytes: Buffer): boolean {
  return (
    bytes.length >= BATCH_PREFIX.length &&
    bytes.compare(BATCH_PREFIX, 0, BATCH_PREFIX.length, 0, BATCH_PREFIX.length) === 0
  );
}

function decodeCurrent(bytes: Buffer): DecodedBatch {
  const reader = new AvroReader(bytes, BATCH_PREFIX.length);
  const header = { receivedAtMs: reader.long(), producerId: reader.string(), batchId: reader.string() };
  const count = reader.size();
  const ids = reader.take(reader.size());
  if (ids.length !== count * ID_BYTES) throw new AvroError("ids must hold 16 bytes an event");
  const videoSpans = reader.spans();
  const videoIndex = uint32Column(count);
  reader.indexesInto(videoIndex, videoSpans.starts.length);
  const types = reader.strings();
  if (types.length > MAX_TYPES) throw new AvroError("too many event types in one batch");
  const typeIndex = uint32Column(count);
  reader.indexesInto(typeIndex, types.length);
  const baseMs = reader.long();
  const timesMs = float64Column(count);
  reader.numbersInto(timesMs, count, baseMs);
  const columns: EventColumns = new DecodedColumns(count, ids, videoSpans, videoIndex, types, typeIndex, timesMs);
  const values = denseValues(count, reader.numbers(), reader.numbers());
  if (values !== undefined) columns.values = values;
  const hashedIds = sparseText(count, reader.numbers(), reader.strings());
  if (hashedIds !== undefined) columns.hashedIds = hashedIds;
  const extras = sparseText(count, reader.numbers(), reader.strings());
  if (extras !== undefined) columns.extras = extras;
  checkExtras(columns);
  if (reader.remaining > 0) throw new AvroError("bytes are left over after the batch");
  return { ...header, columns };
}

/** Columns over the bytes of a message. The video names become strings on demand. */
class DecodedColumns implements EventColumns {
  values?: Float64Array;
  hashedIds?: ReadonlyMap<number, string>;
  extras?: ReadonlyMap<number, string>;
  private texts: string[] | undefined;

  constructor(
    readonly count: number,
    readonly ids: Uint8Array,
    readonly videoSpans: NameSpans,
    readonly videoIndex: Uint32Array,
    readonly types: string[],
    readonly typeIndex: Uint32Array,
    readonly timesMs: Float64Array,
  ) {}

  get videos(): readonly string[] {
    this.texts ??= spanTexts(this.videoSpans);
    return this.texts;
  }
}

/**
 * Returns the values as a dense column. An int64 that JavaScript cannot hold becomes Infinity, which is no valid value,
 * so that its event is refused.
 */
function denseValues(count: number, rows: readonly number[], present: readonly number[]): Float64Array | undefined {
  if (rows.length !== present.length) throw new AvroError("valueRows and values differ in length");
  if (rows.length === 0) return undefined;
  const values = new Float64Array(count).fill(Number.NaN);
  checkRows(count, rows);
  for (let i = 0; i < rows.length; i++)
    values[rows[i]!] = Number.isNaN(present[i]!) ? Number.POSITIVE_INFINITY : present[i]!;
  return values;
}

function sparseText(count: number, rows: readonly number[], texts: readonly string[]): Map<number, string> | undefined {
  if (rows.length !== texts.length) throw new AvroError("a sparse column's rows and texts differ in length");
  if (rows.length === 0) return undefined;
  checkRows(count, rows);
  return new Map(rows.map((row, i) => [row, texts[i]!]));
}

function checkRows(count: number, rows: readonly number[]): void {
  let previous = -1;
  for (const row of rows) {
    if (!(row > previous && row < count)) throw new AvroError("a sparse column's rows must ascend within the batch");
    previous = row;
  }
}

function checkExtras(columns: EventColumns): void {
  for (const text of columns.extras?.values() ?? []) {
    // The event is refused for its depth, and its text must not be parsed.
    if (text.length > DEPTH_SCAN_BYTES && nestsDeeperThan(text, MAX_JSON_DEPTH)) continue;
    let extra: unknown;
    try {
      extra = JSON.parse(text);
    } catch {
      throw new AvroError("extras must hold JSON objects");
    }
    if (typeof extra !== "object" || extra === null || Array.isArray(extra))
      throw new AvroError("extras must hold JSON objects");
  }
}

interface BatchRecord extends BatchHeader {
  count: number;
  ids: Buffer;
  videos: string[];
  videoIndex: number[];
  types: string[];
  typeIndex: number[];
  baseTimeMs: number;
  timeDeltasMs: number[];
  valueRows: number[];
  values: number[];
  hashedIdRows: number[];
  hashedIds: string[];
  extraRows: number[];
  extras: string[];
}

/**
 * Decodes a message of another registered schema, older or newer: avsc resolves it, and the current codec checks the
 * result.
 */
function decodeOther(bytes: Buffer): DecodedBatch {
  const writer = schemas.find(bytes.subarray(2, 10));
  if (writer === undefined) {
    throw new BatchFormatError("unknown-schema", `no schema has the fingerprint ${bytes.toString("hex", 2, 10)}`);
  }
  const record = current.type.fromBuffer(bytes.subarray(10), resolver(writer.type)) as BatchRecord;
  return decodeCurrent(Buffer.concat([BATCH_PREFIX, current.type.toBuffer(record)]));
}

const resolvers = new WeakMap<Type, ReturnType<Type["createResolver"]>>();

function resolver(writer: Type): ReturnType<Type["createResolver"]> {
  let known = resolvers.get(writer);
  if (known === undefined) {
    try {
      known = current.type.createResolver(writer);
    } catch (error) {
      throw new BatchFormatError("unknown-schema", `the schema cannot be read as a batch: ${(error as Error).message}`);
    }
    resolvers.set(writer, known);
  }
  return known;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
