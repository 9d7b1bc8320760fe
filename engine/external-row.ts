// SPDX-License-Identifier: Apache-2.0
/**
 * The configuration of a Java transform as Beam encodes it. The sources of external-transforms.ts are configured so.
 */
import { randomUUID } from "node:crypto";
import type { FieldType } from "apache-beam/proto/schema";
import type { Writer } from "protobufjs";
import "./fixes/load";
import { sdk } from "./fixes/sdk";

/** A field of a Java transform's configuration, where integers have 64 bits. */
export type ExternalValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;

/**
 * Encodes the configuration of a cross-language transform: a Beam schema and one row of it. The code is written by hand
 * because the SDK's row coder writes a map as a row, which Java's KafkaIO refuses (apache/beam#26826). Encoding: number
 * of fields, an empty bitmap (no field is null), the fields; a list or map starts with its size as int32, big-endian.
 * Undefined values are left out.
 */
export function externalConfiguration(fields: Readonly<Record<string, ExternalValue | undefined>>): Uint8Array {
  const present = Object.entries(fields).filter((field): field is [string, ExternalValue] => field[1] !== undefined);
  const writer = new sdk.protobuf.Writer();
  writer.uint32(present.length).uint32(0);
  for (const [, value] of present) writeValue(writer, value);
  const { ExternalConfigurationPayload } = sdk.externalPayload;
  const schema = sdk.schema.Schema.create({
    id: randomUUID(),
    fields: present.map(([name, value], at) => ({
      name,
      description: "",
      type: fieldType(value),
      id: at,
      encodingPosition: at,
      options: [],
    })),
  });
  return ExternalConfigurationPayload.toBinary({ schema, payload: writer.finish() });
}

function fieldType(value: ExternalValue): FieldType {
  const { AtomicType } = sdk.schema;
  const atomic = (type: number): FieldType => ({
    nullable: false,
    typeInfo: { oneofKind: "atomicType", atomicType: type },
  });
  if (typeof value === "string") return atomic(AtomicType.STRING);
  if (typeof value === "number") return atomic(AtomicType.INT64);
  if (typeof value === "boolean") return atomic(AtomicType.BOOLEAN);
  const text = atomic(AtomicType.STRING);
  if (Array.isArray(value)) {
    return { nullable: false, typeInfo: { oneofKind: "arrayType", arrayType: { elementType: text } } };
  }
  return { nullable: false, typeInfo: { oneofKind: "mapType", mapType: { keyType: text, valueType: text } } };
}

function writeValue(writer: Writer, value: ExternalValue): void {
  if (typeof value === "string") writer.string(value);
  else if (typeof value === "number") writer.int64(value);
  else if (typeof value === "boolean") writer.bool(value);
  else if (Array.isArray(value)) {
    writeSize(writer, value.length);
    for (const each of value as readonly string[]) writer.string(each);
  } else {
    const entries = Object.entries(value as Readonly<Record<string, string>>);
    writeSize(writer, entries.length);
    for (const [key, each] of entries) writer.string(key).string(each);
  }
}

/** protobufjs writes fixed32 little-endian, so the bytes are reversed first. */
function writeSize(writer: Writer, size: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(size);
  writer.fixed32(bytes.readUInt32LE());
}
