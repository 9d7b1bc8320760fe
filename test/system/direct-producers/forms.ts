// SPDX-License-Identifier: Apache-2.0
/** The forms in which a direct producer may send events, and what a plain reading of the rules makes of them. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { minuteOf, uuidV7TimeMs, type VideoEvent } from "../../../domain/event";
import { encodeBatch } from "../../../io/formats/avro/batch";
import { columnsOf, modelCells } from "../../domain/model";

/** An event as a producer writes it: perhaps without a time, perhaps refused. */
interface Written {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime?: number;
  value?: number;
}

const FORMS = ["single", "array", "events", "cloudevents", "batch"] as const;
type Form = (typeof FORMS)[number];
type Compression = "none" | "gzip" | "zstd";

export interface Published {
  form: Form;
  compression: Compression;
  events: Written[];
  publishedAtMs: number;
}

export function payloadOf({ form, compression, events }: Pick<Published, "form" | "compression" | "events">): Buffer {
  const plain = plainOf(form, events);
  if (compression === "gzip") return gzipSync(plain);
  return compression === "zstd" ? zstdCompressSync(plain) : plain;
}

function plainOf(form: Form, events: Written[]): Buffer {
  if (form === "single") return Buffer.from(JSON.stringify(events[0]));
  if (form === "array") return Buffer.from(`\n ${JSON.stringify(events)}`);
  if (form === "events") return Buffer.from(JSON.stringify({ producer: "test", events }));
  if (form === "cloudevents") {
    const cloud = events.map(({ eventId, videoId, eventType, eventTime, value }) => ({
      specversion: "1.0",
      source: "/test",
      id: eventId,
      subject: videoId,
      type: eventType,
      ...(eventTime === undefined ? {} : { time: new Date(eventTime).toISOString() }),
      ...(value === undefined ? {} : { data: { value } }),
    }));
    return Buffer.from(JSON.stringify(cloud));
  }
  const rows = events.map(({ eventTime, ...event }) => ({ ...event, eventTimeMs: eventTime ?? 0 }));
  return encodeBatch(columnsOf(rows), { receivedAtMs: 0, producerId: "test", batchId: "" });
}

const GOOD_TYPE = /^[A-Z][A-Z0-9_]{0,31}$/;

/**
 * Returns the counted events of a message, the late ones, and the reasons of the others: the rules of the contract, one
 * `if` each.
 */
function judged(published: Published, rules: { rawRetentionMs: number; allowedLatenessMs: number }) {
  const { events, publishedAtMs, form } = published;
  const accepted: VideoEvent[] = [];
  const late: VideoEvent[] = [];
  const reasons: string[] = [];
  for (const { eventTime, ...event } of form === "single" ? events.slice(0, 1) : events) {
    const eventTimeMs = eventTime ?? uuidV7TimeMs(event.eventId) ?? publishedAtMs;
    if (!GOOD_TYPE.test(event.eventType)) reasons.push("bad-event-type");
    else if (eventTimeMs > publishedAtMs + 300_000) reasons.push("too-far-in-future");
    else if (publishedAtMs - eventTimeMs > rules.rawRetentionMs) reasons.push("too-old");
    else if (publishedAtMs - eventTimeMs > rules.allowedLatenessMs) late.push({ ...event, eventTimeMs });
    else accepted.push({ ...event, eventTimeMs });
  }
  return { accepted, late, reasons };
}

export interface ModelBooks {
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
}

/** Cells, books by minute and dead letters of messages that are each received once. */
export function modelOf(messages: readonly Published[], rules: { rawRetentionMs: number; allowedLatenessMs: number }) {
  const all = messages.map((message) => judged(message, rules));
  const cells = modelCells(all.flatMap(({ accepted }) => accepted));
  const books = new Map<number, ModelBooks>();
  const book = (minute: number): ModelBooks => {
    const row = books.get(minute) ?? { accepted: 0, archived: 0, counted: 0, duplicate: 0, late: 0 };
    books.set(minute, row);
    return row;
  };
  for (const { accepted, late } of all) {
    for (const { eventTimeMs } of [...accepted, ...late]) {
      const row = book(minuteOf(eventTimeMs));
      row.accepted++;
      row.archived++;
    }
    for (const { eventTimeMs } of late) book(minuteOf(eventTimeMs)).late++;
    for (const { eventTimeMs } of accepted) book(minuteOf(eventTimeMs)).duplicate++;
  }
  for (const [name, { count }] of cells) {
    const row = book(Number(name.split(" ")[0]));
    row.counted += count;
    row.duplicate -= count;
  }
  return { cells, books, reasons: all.flatMap(({ reasons }) => reasons).sort() };
}

const DAY_MS = 86_400_000;

/** Messages around `nowMs` in every form, their times in the past, near, far and missing. */
export function publishedMessages(nowMs: number): fc.Arbitrary<Published[]> {
  const distanceMs = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -90_000, max: 30_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(-7_200_000, -40 * DAY_MS, 600_000) },
  );
  const uuid = fc.integer({ min: 0, max: 200_000 }).map((beforeMs) => {
    const hex = (nowMs - beforeMs).toString(16).padStart(12, "0");
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
  });
  const written = fc.record(
    {
      eventId: fc.oneof(fc.constantFrom("a", "b", "c", "d", "e f"), uuid),
      videoId: fc.constantFrom("v", "w", "x/y"),
      eventType: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom("VIEW", "LIKE") },
        { weight: 1, arbitrary: fc.constant("view") },
      ),
      eventTime: distanceMs.map((ms) => nowMs + ms),
      value: fc.integer({ min: -5, max: 5 }),
    },
    { requiredKeys: ["eventId", "videoId", "eventType"] },
  );
  const message = fc
    .record({
      form: fc.constantFrom(...FORMS),
      compression: fc.constantFrom<Compression>("none", "none", "gzip", "zstd"),
      events: fc.array(written, { minLength: 1, maxLength: 6 }),
      // The last moment of a minute: a reader whose receipt were a little later would count in the next one.
      publishedAtMs: fc.oneof(
        fc.constant(nowMs - (nowMs % 60_000) - 1),
        fc.integer({ min: -60_000, max: 0 }).map((ms) => nowMs + ms),
      ),
    })
    // A batch's columns always have a time.
    .map((each) =>
      each.form === "batch"
        ? { ...each, events: each.events.map((event) => ({ ...event, eventTime: event.eventTime ?? nowMs })) }
        : each,
    );
  return fc.array(message, { minLength: 1, maxLength: 8 });
}
