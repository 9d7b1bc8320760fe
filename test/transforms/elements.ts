// SPDX-License-Identifier: Apache-2.0
/** Elements for the transform tests, and the ports they ask for, provided for one test. */
import type { VideoEvent } from "../../domain/event";
import { provideResource, withdrawResource } from "../../engine";
import { encodeBatch } from "../../io/formats/avro/batch";
import type { BatchMessage } from "../../transforms/elements";
import { columnsOf, T0 } from "../domain/model";

export const event = (eventId: string, more: Partial<VideoEvent> = {}): VideoEvent => ({
  eventId,
  videoId: "v",
  eventType: "VIEW",
  eventTimeMs: T0,
  ...more,
});

export function message(events: readonly VideoEvent[], receivedAtMs = T0, minutes?: number[]): BatchMessage {
  const payload = encodeBatch(columnsOf(events), { receivedAtMs, producerId: "ingest", batchId: "" });
  return minutes === undefined ? { kind: "batch", payload } : { kind: "batch", payload, minutes };
}

export async function withResources<T>(resources: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
  for (const [name, value] of Object.entries(resources)) provideResource(name, value);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(resources)) withdrawResource(name);
  }
}
