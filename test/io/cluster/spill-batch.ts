// SPDX-License-Identifier: Apache-2.0
import { EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { decodeBatch, encodeBatch } from "../../../io/formats/avro/batch";
import type { LogBatch } from "../../../io/ports";

const MINUTE = 29_000_000;

/** The n-th batch: one event of a minute of its own. */
export function spillBatch(n: number): LogBatch {
  const columns = new EventColumnsBuilder();
  columns.add({ eventId: `e-${n}`, videoId: `v-${n}`, eventType: "VIEW", eventTimeMs: (MINUTE + n) * 60_000 });
  const payload = encodeBatch(columns.build(), { receivedAtMs: 1, producerId: "test", batchId: `b-${n}` });
  return { payload, events: 1, acceptedByMinute: new Map([[MINUTE + n, 1]]) };
}

export const numberOf = (payload: Uint8Array): number => Number(decodeBatch(payload).columns.videos[0]!.slice(2));
