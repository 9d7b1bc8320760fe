// SPDX-License-Identifier: Apache-2.0
/** Events as clients send them, most of them good, and the bodies they come in. */
import { EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { encodeBatch } from "../../../io/formats/avro/batch";
import type { Random } from "./random";

export const BODY_TYPES = [
  "application/json",
  "text/plain",
  "application/x-ndjson",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "application/vnd.viewmill.batch+avro",
] as const;
export type BodyType = (typeof BODY_TYPES)[number];

type Fields = Record<string, unknown>;

export class EventSource {
  private ids = 0;

  constructor(
    private readonly random: Random,
    private readonly nowMs: number,
    private readonly prefix: string,
  ) {}

  body(type: BodyType): Buffer {
    const events = Array.from({ length: Math.floor(this.random.next() ** 3 * 12) + 1 }, () => this.event());
    switch (type) {
      case "application/json":
      case "text/plain":
        return json(this.random.pick([events, { events }, events[0], { ...events[0], events }]));
      case "application/x-ndjson":
        return Buffer.from(events.map((e) => JSON.stringify(e)).join(this.random.pick(["\n", "\r\n", "\n\n"])));
      case "application/cloudevents+json":
        return json(this.cloudEvent(events[0]!));
      case "application/cloudevents-batch+json":
        return json(events.map((e) => this.cloudEvent(e)));
      case "application/vnd.viewmill.batch+avro":
        return this.batch(events);
    }
  }

  private event(): Fields {
    const { random } = this;
    const event: Fields = {
      // One of four is a repeat, or an id that is used again.
      eventId: `${this.prefix}-${random.chance(0.25) ? random.below(this.ids + 1) : this.ids++}`,
      videoId: `video-${random.below(20)}`,
      eventType: random.pick(["VIEW", "LIKE", "SHARE"]),
      eventTime: this.nowMs - random.below(300_000),
    };
    if (random.chance(0.4)) event.value = random.pick([0, 1, -5, 2 ** 53 - 1, 1 - 2 ** 53, random.below(1e9)]);
    if (random.chance(0.2)) delete event[random.pick(["eventId", "videoId", "eventType", "eventTime"])];
    if (random.chance(0.3)) {
      const odd = [null, 5, 1.5, -1, 2 ** 53, 1e300, "", "é", random.text(), {}, [], true, "x".repeat(200)];
      event[random.pick(["eventId", "videoId", "eventType", "eventTime", "value", "note"])] = random.pick(odd);
    }
    return event;
  }

  private cloudEvent({ eventId, videoId, eventType, eventTime, ...rest }: Fields): Fields {
    const { random } = this;
    const time = typeof eventTime === "number" && eventTime < 8e15 ? new Date(eventTime).toISOString() : eventTime;
    const data_base64 = Buffer.from(JSON.stringify(rest)).toString("base64");
    const data = random.pick<Fields>([
      { data: rest },
      { data: rest },
      { data_base64 },
      { data: null },
      { data: "text" },
    ]);
    const specversion = random.pick(["1.0", "1.0", "1.0", "0.3"]);
    return { specversion, id: eventId, source: "fuzz", subject: videoId, type: eventType, time, ...data };
  }

  private batch(events: readonly Fields[]): Buffer {
    const builder = new EventColumnsBuilder();
    for (const { eventId, videoId, eventType, eventTime, value } of events) {
      builder.add({
        eventId: String(eventId),
        videoId: String(videoId),
        eventType: String(eventType),
        eventTimeMs: typeof eventTime === "number" && Number.isSafeInteger(eventTime) ? eventTime : this.nowMs,
        ...(Number.isSafeInteger(value) ? { value: value as number } : {}),
        ...(this.random.chance(0.2) ? { extra: { note: this.random.text() } } : {}),
      });
    }
    return encodeBatch(builder.build(), { receivedAtMs: 0, producerId: "fuzz", batchId: "b" });
  }
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
