// SPDX-License-Identifier: Apache-2.0
/**
 * The reference message: Avro single-object encoding of io/formats/schemas/reference-v1.avsc. The log holds it in place
 * of a batch message. The claim check writes references, and every reader of the log resolves them.
 */
import { AvroError, AvroReader, AvroWriter } from "./binary";
import { shippedSchema } from "./schema-registry";
import { schemas } from "./schemas";

export interface Reference {
  /** The claim's name. */
  name: string;
  sizeBytes: number;
  /** The CRC-32 of the batch message (zlib's), unsigned. */
  crc32: number;
  events: number;
}

const known = schemas.add("reference-v1", shippedSchema("reference-v1"));
const PREFIX = Buffer.concat([Buffer.from([0xc3, 0x01]), known.fingerprint]);

/** Returns whether the first ten bytes are those of a reference. */
export function isReference(payload: Uint8Array): boolean {
  if (payload.length < PREFIX.length) return false;
  for (let at = 0; at < PREFIX.length; at++) if (payload[at] !== PREFIX[at]) return false;
  return true;
}

/** Encodes a reference. Throws AvroError for numbers that the schema cannot hold. */
export function encodeReference({ name, sizeBytes, crc32, events }: Reference): Buffer {
  const writer = new AvroWriter(128);
  writer.raw(PREFIX);
  writer.string(name);
  writer.long(sizeBytes);
  writer.long(crc32);
  writer.size(events);
  return writer.finish();
}

/** Decodes a message for which `isReference` is true. Throws AvroError where it is cut or damaged. */
export function decodeReference(payload: Uint8Array): Reference {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const reader = new AvroReader(bytes, PREFIX.length);
  const reference = { name: reader.string(), sizeBytes: reader.long(), crc32: reader.long(), events: reader.size() };
  if (reader.remaining > 0) throw new AvroError("bytes are left over after the reference");
  if (!(reference.sizeBytes >= 0 && reference.crc32 >= 0 && reference.crc32 < 2 ** 32))
    throw new AvroError("the reference has a size or a checksum that no batch has");
  return reference;
}
