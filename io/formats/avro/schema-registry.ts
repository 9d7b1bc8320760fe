// SPDX-License-Identifier: Apache-2.0
/**
 * The Avro schemas by their fingerprints, as messages name them. The codecs of this folder look up the schema of what
 * they read.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Schema, Type } from "avsc";

/**
 * Returns the CRC-64-AVRO (Avro 1.12 specification, "Schema fingerprints") of a schema's canonical form, as 8 bytes
 * little-endian.
 */
export function fingerprint(canonicalSchema: string): Buffer {
  let value = EMPTY;
  for (const byte of Buffer.from(canonicalSchema, "utf8")) {
    value = (value >> 8n) ^ TABLE[Number((value ^ BigInt(byte)) & 0xffn)]!;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

const EMPTY = 0xc15d213aa4d7a795n;
const TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (EMPTY & -(value & 1n));
  return value;
});

/** A known schema: its Avro type and the fingerprint of its messages. */
interface KnownSchema {
  name: string;
  type: Type;
  fingerprint: Buffer;
}

/** Maps fingerprints to schemas; newer schemas can be added. */
export class SchemaRegistry {
  private readonly byFingerprint = new Map<string, KnownSchema>();

  add(name: string, schema: Schema): KnownSchema {
    const type = Type.forSchema(schema);
    const known = { name, type, fingerprint: fingerprint(JSON.stringify(type.schema())) };
    this.byFingerprint.set(known.fingerprint.toString("hex"), known);
    return known;
  }

  find(bytes: Uint8Array): KnownSchema | undefined {
    return this.byFingerprint.get(Buffer.from(bytes).toString("hex"));
  }
}

/** Returns the shipped text of io/formats/schemas/<name>.avsc. */
export function shippedSchema(name: string): Schema {
  return JSON.parse(readFileSync(join(__dirname, "..", "schemas", `${name}.avsc`), "utf8")) as Schema;
}
