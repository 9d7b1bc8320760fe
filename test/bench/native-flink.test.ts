// SPDX-License-Identifier: Apache-2.0
/** The hand-written job that Viewmill is measured against counts exactly: a fast wrong job is no comparison. */

import { type CountedCell, digestOf } from "../../bench/data/counts-digest";
import { runNative } from "../../bench/flink/native-run";
import type { EventColumns } from "../../domain/columns/event-columns";
import { sfc32 } from "../../domain/seeded-random";
import { encodeBatch } from "../../io/formats/avro/batch";
import { KafkaAppender } from "../../io/kafka/appender";
import { ensureKafkaTopic } from "../../io/kafka/topics";
import { type KafkaServer, startKafka } from "../../servers";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";

const MINUTE_MS = 60_000;
const LATENESS_MS = 10 * MINUTE_MS;
const DEADLINE_MS = 240_000;
const VIDEOS = ["a", "video:1/x", "x".repeat(128), "hot"];
const TYPES = ["VIEW", "LIKE", "SHARE", "WATCHED_TO_THE_END"];
const EVENTS = 20_000;
const BATCH_EVENTS = 250;

interface Event {
  id: Buffer;
  video: number;
  type: number;
  timeMs: number;
  value: number | undefined;
}

/**
 * Events of five minutes up to now: 30 % repeat one seen before, as it was, with another value, or with its id alone; 2
 * % are too late.
 */
function someEvents(nowMs: number): Event[] {
  const random = sfc32(7);
  const below = (limit: number) => Math.floor(random() * limit);
  const events: Event[] = [];
  const newEvent = (): Event => {
    const tooLate = random() < 0.02;
    return {
      id: Buffer.from(Array.from({ length: 16 }, () => below(256))),
      video: random() < 0.6 ? 3 : below(VIDEOS.length),
      type: below(TYPES.length),
      timeMs: nowMs - (tooLate ? LATENESS_MS + 1 + below(5 * MINUTE_MS) : below(5 * MINUTE_MS)),
      value: random() < 0.5 ? below(2 ** 40) - 2 ** 39 : undefined,
    };
  };
  while (events.length < EVENTS) {
    const old = events[below(events.length)];
    const fresh = newEvent();
    const kind = below(20);
    if (old === undefined || kind >= 6) events.push(fresh);
    else if (kind >= 3) events.push(old);
    else if (kind >= 1) events.push({ ...old, value: fresh.value });
    else events.push({ ...fresh, id: old.id });
  }
  return events;
}

/** The rule, as plainly as it can be said; what is received too late is left out. */
function naiveCells(events: readonly Event[], receivedAtMs: number): CountedCell[] {
  const largest = new Map<string, number>();
  for (const { id, video, type, timeMs, value = 0 } of events) {
    if (receivedAtMs - timeMs > LATENESS_MS) continue;
    const event = `${VIDEOS[video]} ${TYPES[type]} ${Math.floor(timeMs / MINUTE_MS)} ${id.toString("hex")}`;
    largest.set(event, Math.max(value, largest.get(event) ?? Number.NEGATIVE_INFINITY));
  }
  const cells = new Map<string, CountedCell>();
  for (const [event, value] of largest) {
    const [videoId = "", eventType = "", minute] = event.split(" ");
    const key = `${videoId} ${eventType} ${minute}`;
    const cell = cells.get(key) ?? { videoId, eventType, minute: Number(minute), count: 0, sum: 0n };
    cells.set(key, { ...cell, count: cell.count + 1, sum: cell.sum + BigInt(value) });
  }
  return [...cells.values()];
}

function batchOf(events: readonly Event[], receivedAtMs: number): Buffer {
  const columns: EventColumns = {
    count: events.length,
    ids: Buffer.concat(events.map(({ id }) => id)),
    videos: VIDEOS,
    videoIndex: Uint32Array.from(events, ({ video }) => video),
    types: TYPES,
    typeIndex: Uint32Array.from(events, ({ type }) => type),
    timesMs: Float64Array.from(events, ({ timeMs }) => timeMs),
    values: Float64Array.from(events, ({ value }) => value ?? Number.NaN),
  };
  return encodeBatch(columns, { receivedAtMs, producerId: "ingest", batchId: "one" });
}

describeWithServers("the native Flink job", ["kafka", "flink"], () => {
  let kafka: KafkaServer;
  let expected: CountedCell[];

  beforeAll(async () => {
    kafka = await startKafka();
    const brokers = [kafka.bootstrap];
    await ensureKafkaTopic({ brokers }, { topic: "events", partitions: 4 });
    const nowMs = Date.now();
    const events = someEvents(nowMs);
    expected = naiveCells(events, nowMs);
    const appender = await KafkaAppender.open({ brokers, topic: "events" });
    for (let from = 0; from < events.length; from += BATCH_EVENTS) {
      const value = batchOf(events.slice(from, from + BATCH_EVENTS), nowMs);
      await appender.append({ key: null, value, timestamp: String(nowMs) });
    }
    await appender.close();
  }, COLD_START_MS);

  afterAll(() => kafka?.stop());

  test.each([
    ["the heap", false],
    ["RocksDB", true],
  ])(
    "with its state in %s counts repeats across batches and partitions once, the largest value of each, and nothing that is too late",
    async (_name, rocksdb) => {
      const topic = {
        brokers: kafka.bootstrap,
        topic: "events",
        allowedLatenessMs: LATENESS_MS,
        graceMs: 1_000,
        lateFiringMs: 500,
      };
      const cluster = { taskManagers: 1, slotsPerTaskManager: 4, highAvailability: false, rocksdb };
      const run = await runNative(topic, cluster, DEADLINE_MS);
      expect(run.digest).toEqual(digestOf(expected));
      expect(run.digest.count).toBeGreaterThan(EVENTS / 2);
      expect(Object.keys(run.processes)).toEqual(["jobmanager", "taskmanager-1"]);
      expect(run.cpuS).toBeGreaterThan(0);
    },
    COLD_START_MS,
  );
});
