// SPDX-License-Identifier: Apache-2.0
import { gzipSync } from "node:zlib";
import { BlockPartitioner } from "../../domain/columns/block-partitioner";
import { type EventColumns, eventAt, eventJsonAt } from "../../domain/columns/event-columns";
import { ArchiveObjectWriter } from "../../io/formats/avro/archive-object";
import { encodeBatch } from "../../io/formats/avro/batch";
import { hashSeed } from "../../transforms/hash-seed";
import { readMessage } from "../../transforms/read-message";
import type { DataParameters } from "../data/data-files";
import { EventSource } from "../data/event-source";
import type { Bench, Measurement } from "../measurement";
import { type Figure, figure } from "../report";
import { defineTask, timed } from "../task";

/** Events of a bundle, about as many as a worker of a cluster gets at once. */
const BUNDLE_EVENTS = 20_000;

const FORMS = {
  batch: "Avro batches of 500",
  array: "JSON arrays of 500",
  "gzip-array": "JSON arrays of 500, gzip",
  single: "single JSON events",
  "cloud-event": "single CloudEvents",
} as const;
type Form = keyof typeof FORMS;

/** Does a worker's work on the messages of a topic without Beam: inflate, decode, check, blocks by dedup partition. */
const decodeMessages = defineTask(
  __filename,
  "messages",
  async ({ form, data }: { form: Form; data: DataParameters }) => {
    const payloads: Uint8Array[] = [];
    for (const columns of new EventSource(data).batches()) payloads.push(...payloadsOf(form, columns));
    let wireBytes = 0;
    for (const payload of payloads) wireBytes += payload.byteLength;
    let events = 0;
    const { wallS, cpuS } = await timed(() => {
      let bundle = new BlockPartitioner(16, Number.POSITIVE_INFINITY, hashSeed);
      let inBundle = 0;
      for (const payload of payloads) {
        const { columns, receivedAtMs } = readMessage(payload, data.startMs);
        bundle.add(columns, receivedAtMs);
        inBundle += columns.count;
        if (inBundle < BUNDLE_EVENTS) continue;
        for (const { count } of bundle.finish()) events += count;
        bundle = new BlockPartitioner(16, Number.POSITIVE_INFINITY, hashSeed);
        inBundle = 0;
      }
      for (const { count } of bundle.finish()) events += count;
    });
    return { events, messages: payloads.length, wireBytes, wallS, cpuS };
  },
);

/** Does the archiver's work on them beside decoding and uploading. */
const archiveEvents = defineTask(__filename, "archive-events", async ({ data }: { data: DataParameters }) => {
  const batches = [...new EventSource(data).batches()];
  let bytes = 0;
  const { cpuS } = await timed(() => {
    const object = new ArchiveObjectWriter("bench-1.avro");
    for (const columns of batches) for (let row = 0; row < columns.count; row++) object.add(columns, row, data.startMs);
    bytes = object.finish().byteLength;
  });
  return { bytes, cpuS };
});

function payloadsOf(form: Form, columns: EventColumns): Uint8Array[] {
  if (form === "batch") return [encodeBatch(columns, { receivedAtMs: 0, producerId: "bench", batchId: "" })];
  const rows = [...Array(columns.count).keys()];
  if (form === "single") return rows.map((row) => Buffer.from(eventJsonAt(columns, row)));
  if (form === "cloud-event") return rows.map((row) => Buffer.from(cloudEvent(columns, row)));
  const array = Buffer.from(`[${rows.map((row) => eventJsonAt(columns, row)).join(",")}]`);
  return [form === "array" ? array : gzipSync(array)];
}

function cloudEvent(columns: EventColumns, row: number): string {
  const { eventId, videoId, eventType, eventTimeMs, value } = eventAt(columns, row);
  const time = new Date(eventTimeMs).toISOString();
  const data = value === undefined ? undefined : { value };
  return JSON.stringify({
    specversion: "1.0",
    id: eventId,
    source: "/player",
    subject: videoId,
    type: eventType,
    time,
    data,
  });
}

export const measurement: Measurement = {
  name: "messages",
  title: "Messages of a topic, by form: inflate, decode, check, blocks; no Beam",
  async run(bench: Bench) {
    const figures: Figure[] = [];
    const facts: Record<string, unknown> = {};
    // Receipt is the same for all: times must not lie far ahead of it.
    const data = { ...bench.data, events: Math.min(bench.data.events, 1_000_000), minutes: 1 };
    for (const form of Object.keys(FORMS) as Form[]) {
      const { result } = await bench.task(decodeMessages, { form, data });
      if (result.events !== data.events) throw new Error(`${form}: ${result.events} of ${data.events} events`);
      figures.push(
        figure(`messages/${form}`, `${FORMS[form]}: events per CPU-second`, "events/CPU-s", data.events / result.cpuS),
      );
      facts[form] = {
        bytesPerEvent: result.wireBytes / data.events,
        microsecondsPerMessage: (result.cpuS / result.messages) * 1e6,
      };
    }
    const { result: archived } = await bench.task(archiveEvents, { data });
    figures.push(
      figure("messages/archive", "rows of archive objects per CPU-second", "events/CPU-s", data.events / archived.cpuS),
    );
    facts.archive = { bytesPerEvent: archived.bytes / data.events };
    return { figures, facts };
  },
};
