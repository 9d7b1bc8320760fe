// SPDX-License-Identifier: Apache-2.0
/** Events, and bodies of them in every form a producer may send. */
import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { encodeBatch } from "../../../io/formats/avro/batch";
import type { Body } from "./service";

export interface Event {
  eventId: string;
  videoId: string;
  eventType: string;
  /** Epoch milliseconds. */
  eventTime: number;
  value?: number;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export function event(changes: Partial<Event> = {}): Event {
  return { eventId: randomUUID(), videoId: "video-1", eventType: "VIEW", eventTime: Date.now(), ...changes };
}

export function json(content: unknown): Body {
  return { headers: { "Content-Type": "application/json" }, bytes: JSON.stringify(content) };
}

/** The columnar Avro batch. */
export function columnar(events: readonly Event[]): Body {
  const builder = new EventColumnsBuilder();
  for (const { eventTime, ...rest } of events) builder.add({ ...rest, eventTimeMs: eventTime });
  const message = encodeBatch(builder.build(), { receivedAtMs: 0, producerId: "end-to-end", batchId: randomUUID() });
  return { headers: { "Content-Type": "application/vnd.viewmill.batch+avro" }, bytes: Uint8Array.from(message) };
}

/** NDJSON lines, compressed. */
export function gzipLines(lines: readonly string[]): Body {
  return {
    headers: { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" },
    bytes: Uint8Array.from(gzipSync(lines.join("\n"), { level: 1 })),
  };
}
