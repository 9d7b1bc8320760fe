// SPDX-License-Identifier: Apache-2.0
/** Batches and archive objects for the codec tests. */
import { type Schema, Type, types } from "avsc";
import { type EventColumns, eventAt } from "../../../../domain/columns/event-columns";
import type { VideoEvent } from "../../../../domain/event";
import { ArchiveObjectWriter, readArchiveObject } from "../../../../io/formats/avro/archive-object";
import { shippedSchema } from "../../../../io/formats/avro/schema-registry";

/** A long of avsc that holds all of int64, as bigint: avsc's own refuses what is beyond 2^53. */
export const wholeLong = types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

export const batchType = Type.forSchema(shippedSchema("batch-v1"), { wrapUnions: false });
export const wholeBatchType = Type.forSchema(shippedSchema("batch-v1"), { registry: { long: wholeLong } });

/** The shipped schema with its fields changed: an older or a newer one. */
export function changedSchema(
  name: string,
  change: (fields: Record<string, unknown>[]) => Record<string, unknown>[],
): Schema {
  const schema = structuredClone(shippedSchema(name)) as unknown as { fields: Record<string, unknown>[] };
  return { ...schema, fields: change(schema.fields) } as unknown as Schema;
}

export const allEvents = (columns: EventColumns): VideoEvent[] =>
  Array.from({ length: columns.count }, (_, row) => eventAt(columns, row));

export function archiveObject(fileName: string, columns: EventColumns, receivedAtMs: number): Buffer {
  const writer = new ArchiveObjectWriter(fileName);
  for (let row = 0; row < columns.count; row++) writer.add(columns, row, receivedAtMs + row);
  return writer.finish();
}

export interface ReadRow {
  event: VideoEvent;
  receivedAtMs: number;
}

export function readRows(object: Uint8Array, minute?: number): ReadRow[] {
  const rows: ReadRow[] = [];
  for (const { columns, receivedAtMs } of readArchiveObject(object, minute)) {
    allEvents(columns).forEach((event, row) => {
      rows.push({ event, receivedAtMs: receivedAtMs[row]! });
    });
  }
  return rows;
}
