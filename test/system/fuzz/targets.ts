// SPDX-License-Identifier: Apache-2.0
/**
 * Every decoder with its rules for any input: typed errors only, all of the input or none of it, and the same result
 * twice.
 */
import { deepStrictEqual } from "node:assert";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { compress } from "snappyjs";
import { type EventColumns, eventIdOf } from "../../../domain/columns/event-columns";
import { isEventId, isEventType, isVideoId } from "../../../domain/event";
import { REJECTION_REASONS } from "../../../domain/rejection";
import { contentOf } from "../../../intake/content";
import { CONTRACT_LIMITS } from "../../../intake/limits";
import { takeBody } from "../../../intake/take-body";
import { takeMessage } from "../../../intake/take-message";
import type { IntakeRules, Taken } from "../../../intake/taken";
import { ArchiveObjectWriter, readArchiveObject } from "../../../io/formats/avro/archive-object";
import { BatchFormatError, decodeBatch, encodeBatch } from "../../../io/formats/avro/batch";
import { AvroError } from "../../../io/formats/avro/binary";
import { decodeDeadLetters, encodeDeadLetters } from "../../../io/formats/avro/dead-letter-object";
import { decodeReference, encodeReference, isReference } from "../../../io/formats/avro/reference";
import { InflateError, inflate } from "../../../io/formats/compression/inflate";
import { inflateLz4 } from "../../../io/formats/compression/lz4-frame";
import { inflateSnappy } from "../../../io/formats/compression/snappy-frame";
import { T0 } from "../../domain/model";
import { BODY_TYPES, type BodyType, EventSource } from "./events";
import type { Random } from "./random";

export interface Target {
  name: string;
  /** Good input, to be changed. */
  input(random: Random): Uint8Array;
  /** Throws where something does not hold. */
  check(bytes: Buffer): void;
}

const MAX_BYTES = 1 << 20;

const source = (random: Random) => new EventSource(random, T0, "fuzz");
const someJson = (random: Random) => source(random).body("application/json");
const batch = (random: Random) => source(random).body("application/vnd.viewmill.batch+avro");

/** The result, or undefined where the error is one that the decoder may throw. */
function unlessRefused<T>(decode: () => T, refusal: (error: Error) => boolean): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Error && refusal(error)) return undefined;
    throw error;
  }
}

const GARBAGE = Buffer.from([0x01, 0x7f, 0x01, 0x7f, 0x01]);

/**
 * A decoder reads up to the last byte: it takes the bytes twice, as frames that follow each other, and not with garbage
 * behind them. `isOne`: of a format whose streams do not follow each other, and which refuses a second.
 */
function readsToTheEnd(
  bytes: Buffer,
  decoded: Buffer,
  decode: (bytes: Buffer) => Buffer | undefined,
  isOne = false,
): void {
  if (bytes.length === 0) return;
  if (decode(Buffer.concat([bytes, GARBAGE])) !== undefined) throw new Error("garbage behind the bytes is passed over");
  if (2 * decoded.length > MAX_BYTES) return;
  const twice = decode(Buffer.concat([bytes, bytes]));
  if (twice !== undefined || !isOne) deepStrictEqual(twice, Buffer.concat([decoded, decoded]));
}

/** As readsToTheEnd, for formats with one value in the bytes only. */
function refusesWhatFollows(
  bytes: Buffer,
  decode: (bytes: Buffer) => unknown,
  refusal: (error: Error) => boolean,
): void {
  const decoded = unlessRefused(() => decode(Buffer.concat([bytes, GARBAGE])) ?? null, refusal);
  if (decoded !== undefined) throw new Error("garbage behind the bytes is passed over");
}

const pieces = (random: Random) => Array.from({ length: 1 + random.below(3) }, () => someJson(random));

const gzip: Target = {
  name: "gzip",
  input: (random) => Buffer.concat(pieces(random).map((piece) => gzipSync(piece))),
  check(bytes) {
    const decode = (from: Buffer) =>
      unlessRefused(
        () => inflate(from, "gzip", { maxBytes: MAX_BYTES }),
        (error) => error instanceof InflateError,
      );
    const inflated = decode(bytes);
    if (inflated === undefined) return;
    deepStrictEqual(inflated, gunzipSync(bytes));
    readsToTheEnd(bytes, inflated, decode);
  },
};

const zstd: Target = {
  name: "zstd",
  input: (random) => Buffer.concat(pieces(random).map((piece) => zstdCompressSync(piece))),
  check(bytes) {
    const decode = (from: Buffer) =>
      unlessRefused(
        () => inflate(from, "zstd", { maxBytes: MAX_BYTES, maxWindowLog: 23 }),
        (error) => error instanceof InflateError,
      );
    const inflated = decode(bytes);
    if (inflated !== undefined) readsToTheEnd(bytes, inflated, decode);
    // Node's reads the first frame that is not skippable: a prefix.
    if (inflated === undefined || bytes.readUInt32LE(0) !== 0xfd2fb528) return;
    const first = zstdDecompressSync(bytes);
    deepStrictEqual(inflated.subarray(0, first.length), first);
  },
};

function frames(
  name: string,
  decode: (bytes: Buffer, maxBytes: number) => Buffer,
  input: Target["input"],
  isOne = false,
): Target {
  return {
    name,
    input,
    check(bytes) {
      const decodeAll = (from: Buffer) =>
        unlessRefused(
          () => decode(from, MAX_BYTES),
          // A reader of record batches turns any of them into an error of the batch; a TypeError would be a bug.
          (error) => !(error instanceof TypeError) && error.message !== "",
        );
      const inflated = decodeAll(bytes);
      if (inflated === undefined) return;
      if (inflated.length > MAX_BYTES) throw new Error("more bytes than the bound");
      readsToTheEnd(bytes, inflated, decodeAll, isOne);
    },
  };
}

/** An LZ4 frame of one block that is not compressed. */
function lz4Frame(content: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE((content.length | 0x80000000) >>> 0);
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  return Buffer.concat([header, size, content, Buffer.alloc(4)]);
}

const snappyFrame = (content: Buffer): Buffer => {
  const piece = Buffer.from(compress(content));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(piece.length);
  return Buffer.concat([
    Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
    size,
    piece,
  ]);
};

const batches: Target = {
  name: "batch",
  input: batch,
  check(bytes) {
    const decoded = unlessRefused(
      () => decodeBatch(bytes),
      (error) => error instanceof BatchFormatError,
    );
    if (decoded === undefined) return;
    refusesWhatFollows(bytes, decodeBatch, (error) => error instanceof BatchFormatError);
    // A decoded batch is judged row by row; a row that breaks the contract is not written again.
    if (!keepsContract(decoded.columns)) return;
    const { columns, ...header } = decoded;
    const again = unlessRefused(
      () => encodeBatch(columns, header),
      (error) => error instanceof RangeError || error instanceof AvroError,
    );
    if (again !== undefined) sameRows(decodeBatch(again).columns, columns);
  },
};

function sameRows(one: EventColumns, other: EventColumns): void {
  const rows = ({ count, videos, videoIndex, types, typeIndex, timesMs, values, ...columns }: EventColumns) =>
    Array.from({ length: count }, (_, row) => [
      eventIdOf({ count, videos, videoIndex, types, typeIndex, timesMs, ...columns }, row),
      videos[videoIndex[row]!],
      types[typeIndex[row]!],
      timesMs[row],
      values?.[row] ?? Number.NaN,
      columns.extras?.get(row),
    ]);
  deepStrictEqual(rows(one), rows(other));
}

function keepsContract(columns: EventColumns): boolean {
  try {
    contractHolds(columns);
    return true;
  } catch {
    return false;
  }
}

const archiveObjects: Target = {
  name: "archive-object",
  input(random) {
    const { columns } = decodeBatch(batch(random));
    const object = new ArchiveObjectWriter("fuzz.avro");
    for (let row = 0; row < columns.count; row++) object.add(columns, row, T0);
    return object.finish();
  },
  check(bytes) {
    const refusal = (error: Error) => error instanceof AvroError;
    const read = unlessRefused(() => [...readArchiveObject(bytes)], refusal);
    if (read !== undefined) refusesWhatFollows(bytes, (longer) => [...readArchiveObject(longer)], refusal);
    unlessRefused(() => {
      for (const { columns, receivedAtMs } of readArchiveObject(bytes)) {
        contractHolds(columns);
        const object = new ArchiveObjectWriter("fuzz.avro");
        for (let row = 0; row < columns.count; row++) object.add(columns, row, receivedAtMs[row]!);
        const again = [...readArchiveObject(object.finish())].map((block) => block.columns);
        if (columns.count > 0) sameRows(again[0]!, columns);
      }
    }, refusal);
  },
};

const deadLetterObjects: Target = {
  name: "dead-letter-object",
  input: (random) =>
    encodeDeadLetters(
      "fuzz.avro",
      Array.from({ length: 1 + random.below(4) }, () => ({
        receivedAtMs: T0,
        reason: random.pick(REJECTION_REASONS),
        detail: random.text(),
        payload: someJson(random),
        contentType: "application/json",
        source: "ingest" as const,
        ...(random.chance(0.5) ? { eventId: random.text() } : {}),
      })),
    ),
  check(bytes) {
    const letters = unlessRefused(
      () => decodeDeadLetters(bytes),
      (error) => error instanceof AvroError,
    );
    if (letters === undefined) return;
    deepStrictEqual(decodeDeadLetters(encodeDeadLetters("again.avro", letters)), letters);
    refusesWhatFollows(bytes, decodeDeadLetters, (error) => error instanceof AvroError);
  },
};

const references: Target = {
  name: "reference",
  input: (random) =>
    encodeReference({
      name: `claim-${random.below(1e6)}`,
      sizeBytes: random.below(2 ** 31),
      crc32: random.below(2 ** 32),
      events: random.below(10_000),
    }),
  check(bytes) {
    if (!isReference(bytes)) return;
    const reference = unlessRefused(
      () => decodeReference(bytes),
      (error) => error instanceof AvroError,
    );
    if (reference === undefined) return;
    deepStrictEqual(decodeReference(encodeReference(reference)), reference);
    refusesWhatFollows(bytes, decodeReference, (error) => error instanceof AvroError);
  },
};

const rules: IntakeRules = {
  receivedAtMs: T0,
  rawRetentionMs: 30 * 86_400_000,
  limits: CONTRACT_LIMITS,
  untimed: { kind: "receipt" },
};

function contractHolds(columns: EventColumns): void {
  for (let row = 0; row < columns.count; row++) {
    const [video, type] = [columns.videos[columns.videoIndex[row]!], columns.types[columns.typeIndex[row]!]];
    if (!isEventId(eventIdOf(columns, row))) throw new Error(`row ${row} has a bad eventId`);
    if (!isVideoId(video!) || !isEventType(type!)) throw new Error(`row ${row} is of "${video}" "${type}"`);
    const value = columns.values?.[row] ?? Number.NaN;
    if (!Number.isNaN(value) && !Number.isSafeInteger(value)) throw new Error(`row ${row} has the value ${value}`);
  }
}

function takenHolds(taken: Taken): void {
  if (taken.kind === "stamps-full") throw new Error("a receipt rule found no room for stamps");
  if (taken.kind === "problem") {
    if (!(REJECTION_REASONS as readonly string[]).includes(taken.reason)) throw new Error(`reason ${taken.reason}`);
    return;
  }
  contractHolds(taken.columns);
  for (const { reason } of taken.rejected)
    if (!(REJECTION_REASONS as readonly string[]).includes(reason)) throw new Error(`reason ${reason}`);
  const indexes = taken.rejected.map(({ index }) => index);
  deepStrictEqual(
    indexes,
    [...new Set(indexes)].sort((a, b) => a - b),
  );
  const events = taken.columns.count + taken.rejected.length;
  if (indexes.some((index) => index >= events)) throw new Error("an index that no event has");
}

function body(type: BodyType): Target {
  const found = contentOf({ "content-type": type });
  if (!("content" in found)) throw new Error(found.unsupported);
  return {
    name: `body-${type.slice(type.indexOf("/") + 1).replace(/[^a-z]+/g, "-")}`,
    input: (random) => source(random).body(type),
    check(bytes) {
      const taken = takeBody(bytes, found.content, rules);
      takenHolds(taken);
      deepStrictEqual(verdict(takeBody(Buffer.from(bytes), found.content, rules)), verdict(taken));
      if (type === "application/x-ndjson") sameLineByLine(bytes, taken);
      else wholeBody(bytes, taken, (longer) => takeBody(longer, found.content, rules));
    },
  };
}

const verdict = (taken: Taken): unknown =>
  taken.kind === "events"
    ? [taken.columns.count, taken.rejected.map(({ index, reason, detail }) => [index, reason, detail])]
    : taken;

/** Garbage behind a body that is taken makes it none; every element of an array is an event or a rejection. */
function wholeBody(bytes: Buffer, taken: Taken, take: (bytes: Buffer) => Taken): void {
  if (taken.kind !== "events") return;
  if (take(Buffer.concat([bytes, GARBAGE])).kind === "events")
    throw new Error("garbage behind the body is passed over");
  if (!/^\s*\[/.test(bytes.toString("latin1"))) return;
  const elements = (JSON.parse(bytes.toString()) as unknown[]).length;
  deepStrictEqual(taken.columns.count + taken.rejected.length, elements);
}

/** A line is judged as it is as a body of its own, and every line is judged. */
function sameLineByLine(bytes: Buffer, taken: Taken): void {
  if (taken.kind !== "events" || bytes.includes("\ufeff")) return;
  const lines = bytes
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .split("\n")
    .filter((line) => /[^ \t\r]/.test(line));
  deepStrictEqual(taken.columns.count + taken.rejected.length, lines.length);
  const rejected = new Map(taken.rejected.map(({ index, reason }) => [index, reason]));
  for (const [index, line] of lines.entries()) {
    if (!line.trimStart().startsWith("{") || line.includes("events")) continue;
    const alone = takeBody(Buffer.from(line, "latin1"), { format: "json", encoding: "identity" }, rules);
    const reason = alone.kind === "events" ? alone.rejected[0]?.reason : (alone as { reason?: string }).reason;
    deepStrictEqual([index, reason], [index, rejected.get(index)]);
  }
}

const messages: Target = {
  name: "message",
  input(random) {
    const bytes = source(random).body(random.pick(BODY_TYPES));
    return random.pick([(plain: Buffer) => plain, gzipSync, zstdCompressSync])(bytes);
  },
  check(bytes) {
    const taken = takeMessage(bytes, T0);
    takenHolds(taken);
    deepStrictEqual(verdict(takeMessage(Buffer.from(bytes), T0)), verdict(taken));
    if (taken.kind === "problem") deepStrictEqual(Buffer.from(taken.payload), bytes);
  },
};

export const targets: readonly Target[] = [
  gzip,
  zstd,
  frames("lz4", inflateLz4, (random) => lz4Frame(someJson(random))),
  frames("snappy", inflateSnappy, (random) => snappyFrame(someJson(random)), true),
  batches,
  archiveObjects,
  deadLetterObjects,
  references,
  ...BODY_TYPES.map(body),
  messages,
];
