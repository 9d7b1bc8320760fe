// SPDX-License-Identifier: Apache-2.0
/**
 * Dead letters as objects: Avro container files of io/formats/schemas/dead-letter-v1.avsc, one row per letter. Avro
 * keeps the payload's bytes unchanged. NDJSON would hold them as base64, a third larger and unreadable where they are
 * text. DuckDB, Spark and BigQuery read the objects as they read the archive. The dead letters on Cloud Storage
 * (io/gcs/dead-letters.ts) write and read them.
 */
import { Type } from "avsc";
import type { NewDeadLetter } from "../../ports";
import { AvroError } from "./binary";
import { ContainerWriter, fileSchema, openContainer } from "./container";

const schema = fileSchema("dead-letter-v1");
const letterType = Type.forSchema(JSON.parse(schema.text));
/** A block ends after the letter that fills it. */
const BLOCK_BYTES = 1 << 20;
/** The largest block. A letter holds at most a message, whose size the log bounds. */
const MAX_BLOCK_BYTES = 512 << 20;
/** Half of a block's bound. The other half is for earlier letters of the block and for other fields. */
const MAX_PAYLOAD_BYTES = 256 << 20;

interface LetterRow {
  receivedAt: number;
  reason: string;
  detail: string;
  eventId: string | null;
  payload: Buffer;
  contentType: string;
  source: string;
}

/**
 * Returns the whole file; the same letters under the same name give the same bytes. Throws AvroError for a letter too
 * large to be read back.
 */
export function encodeDeadLetters(fileName: string, letters: readonly NewDeadLetter[]): Buffer {
  const file = new ContainerWriter(fileName, schema);
  let rows: Buffer[] = [];
  let sizeBytes = 0;
  for (const [index, letter] of letters.entries()) {
    if (letter.payload.length > MAX_PAYLOAD_BYTES) {
      throw new AvroError(
        `a dead letter of ${letter.payload.length} bytes; at most ${MAX_PAYLOAD_BYTES} are read back`,
      );
    }
    const row = letterType.toBuffer(rowOf(letter));
    rows.push(row);
    sizeBytes += row.length;
    if (sizeBytes < BLOCK_BYTES && index < letters.length - 1) continue;
    file.addBlock(rows.length, Buffer.concat(rows, sizeBytes));
    rows = [];
    sizeBytes = 0;
  }
  return file.finish();
}

function rowOf({ receivedAtMs, reason, detail, eventId, payload, contentType, source }: NewDeadLetter): LetterRow {
  return {
    receivedAt: receivedAtMs,
    reason,
    detail,
    eventId: eventId ?? null,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    contentType,
    source,
  };
}

/**
 * Returns the letters of a file, in order. Throws AvroError where the file is cut, damaged or of a schema without
 * letters.
 */
export function decodeDeadLetters(content: Uint8Array): NewDeadLetter[] {
  const file = openContainer(content, schema, MAX_BLOCK_BYTES);
  const letters: NewDeadLetter[] = [];
  try {
    const resolver =
      file.otherSchema === undefined
        ? undefined
        : letterType.createResolver(Type.forSchema(JSON.parse(file.otherSchema)));
    for (const { rowCount, rows } of file.blocks) {
      let at = 0;
      for (let row = 0; row < rowCount; row++) {
        const { value, offset } = letterType.decode(rows, at, resolver) as { value?: LetterRow; offset: number };
        if (value === undefined || offset < 0) throw new AvroError("a block ends inside a letter");
        letters.push(letterOf(value));
        at = offset;
      }
      if (at !== rows.length) throw new AvroError("bytes are left over after a block's letters");
    }
  } catch (error) {
    throw error instanceof AvroError ? error : new AvroError((error as Error).message);
  }
  return letters;
}

function letterOf({ receivedAt, reason, detail, eventId, payload, contentType, source }: LetterRow): NewDeadLetter {
  return {
    receivedAtMs: receivedAt,
    reason: reason as NewDeadLetter["reason"],
    detail,
    ...(eventId === null ? {} : { eventId }),
    payload,
    contentType,
    source: source as NewDeadLetter["source"],
  };
}
