// SPDX-License-Identifier: Apache-2.0
/** Messages published past the write API, read through the real subscriptions of the archiver and of the stream. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PubSub } from "@google-cloud/pubsub";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import { KafkaLogSubscription } from "../../../io/kafka/log-subscription";
import { ensureKafkaTopic } from "../../../io/kafka/topics";
import type { LogMessage, LogSubscription } from "../../../io/ports";
import { PubsubLogSubscription } from "../../../io/pubsub/log-subscription";
import { ensurePubsubSubscription, ensurePubsubTopic } from "../../../io/pubsub/topics";
import { runArchiver } from "../../../pipelines/archiver/archiver";
import { runBoundedStream } from "../../../pipelines/bounded/bounded-stream";
import { type KafkaServer, type PubsubEmulator, startKafka, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { openStores, type Stores } from "../golden/embedded-runner";
import { books, count, countedCells, deadReasons, RULES } from "./counted";
import { modelOf, type Published, payloadOf } from "./forms";

const LIMITS = { maxMessages: 100, maxBytes: 32 << 20, waitMs: 200 };
const DEADLINE_MS = 60_000;
const SUITE_MS = 120_000;

interface Topic {
  publish(payloads: readonly Buffer[]): Promise<void>;
  subscription(reader: "archive" | "stream"): Promise<LogSubscription>;
}

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-direct-topic-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describeWithServers("direct producers on Pub/Sub", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
  }, COLD_START_MS);
  afterAll(() => pubsub?.stop());

  async function topicOf(): Promise<Topic> {
    const connection = { projectId: "viewmill-test", endpoint: pubsub.host };
    const topic = `direct-${randomUUID()}`;
    await ensurePubsubTopic(connection, topic);
    for (const reader of ["archive", "stream"])
      await ensurePubsubSubscription(connection, { topic, subscription: `${topic}-${reader}`, ackDeadlineSeconds: 10 });
    return {
      publish: async (payloads) => {
        const client = new PubSub({ projectId: connection.projectId, apiEndpoint: pubsub.host, emulatorMode: true });
        try {
          await Promise.all(payloads.map((data) => client.topic(topic).publishMessage({ data })));
        } finally {
          await client.close();
        }
      },
      subscription: (reader) =>
        PubsubLogSubscription.open({ ...connection, subscription: `${topic}-${reader}`, leaseSeconds: 10 }),
    };
  }
  suite(topicOf);
});

describeWithServers("direct producers on Kafka", ["kafka"], () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka();
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());

  async function topicOf(): Promise<Topic> {
    const connection = { brokers: [kafka.bootstrap] };
    const topic = `direct-${randomUUID()}`;
    await ensureKafkaTopic(connection, { topic, partitions: 2 });
    return {
      publish: async (payloads) => {
        const producer = new Kafka({ ...connection, logLevel: logLevel.NOTHING }).producer();
        await producer.connect();
        const kinds = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.ZSTD];
        for (const [index, value] of payloads.entries()) {
          // The producer's clock is wrong by years; the broker's is what counts.
          const message = { value, timestamp: "1000000000000" };
          await producer.send({ topic, messages: [message], compression: kinds[index % kinds.length]! });
        }
        await producer.disconnect();
      },
      subscription: (reader) =>
        KafkaLogSubscription.open({ ...connection, topic, groupId: `${topic}-${reader}`, sessionTimeoutMs: 6_000 }),
    };
  }
  suite(topicOf);
});

function suite(topicOf: () => Promise<Topic>): void {
  test(
    "every form is counted, archived and in books that balance, and what is refused is a dead letter once",
    async () => {
      const topic = await topicOf();
      const sent = everyForm(Date.now());
      await topic.publish([...sent.map(payloadOf), Buffer.from("{no json")]);
      const total = sent.length + 1;
      await takenAndGivenBack(await topic.subscription("archive"));
      const stores = await openStores(join(folder, "stores"));
      const recounted = await openStores(join(folder, "recounted"));
      try {
        await archiveAll(await topic.subscription("archive"), stores, total);
        const received = await receivedOf(await topic.subscription("stream"), total);
        await count(stores, received);
        const published = asReceived(sent, received);
        const model = modelOf(published, RULES);
        expect(await countedCells(stores)).toEqual(model.cells);
        expect(await books(stores)).toEqual(model.books);
        expect(await deadReasons(stores)).toEqual([...model.reasons, "not-json"].sort());
        // The archive says the same: both readers gave what had no time the same one.
        await recount(stores, recounted);
        expect(await countedCells(recounted)).toEqual(model.cells);
      } finally {
        await Promise.all([stores.close(), recounted.close()]);
      }
    },
    SUITE_MS,
  );

  test(
    "a message as large as the topic takes is taken",
    async () => {
      const topic = await topicOf();
      const eventTime = Date.now();
      const events = Array.from({ length: 9_000 }, (_, n) => ({
        eventId: `e-${n}`,
        videoId: "large",
        eventType: "VIEW",
        eventTime,
        page: "x".repeat(900),
      }));
      const payload = Buffer.from(JSON.stringify(events));
      expect(payload.length).toBeGreaterThan(8_500_000);
      await topic.publish([payload]);
      const stores = await openStores(join(folder, "stores"));
      try {
        await archiveAll(await topic.subscription("archive"), stores, 1);
        await count(stores, await receivedOf(await topic.subscription("stream"), 1));
        expect((await stores.counters.totals("large")).get("VIEW")?.count).toBe(9_000);
        const [row] = (await books(stores)).values();
        expect(row).toEqual({ accepted: 9_000, archived: 9_000, counted: 9_000, duplicate: 0, late: 0 });
      } finally {
        await stores.close();
      }
    },
    SUITE_MS,
  );
}

/** Counts the archive of one deployment into the stores of another. */
async function recount({ archive, ledger }: Stores, into: Stores): Promise<void> {
  await into.ledger.addObjects(await ledger.archivedObjects(0, Date.UTC(9999, 0) / 60_000), []);
  const spread = { dedupePartitions: 1, videoShards: 1 };
  const counting = { ...spread, allowedLatenessMs: RULES.allowedLatenessMs, followCorrections: false };
  await runBoundedStream({ ...into, archive }, { fromMs: 0, toMs: Date.UTC(9999, 0), counting });
}

/** The time of publication is not known yet: the broker gives it. */
function everyForm(nowMs: number): Omit<Published, "publishedAtMs">[] {
  const event = (eventId: string, more: object = {}) => ({
    eventId,
    videoId: "v",
    eventType: "VIEW",
    eventTime: nowMs,
    ...more,
  });
  const { eventTime: _, ...timeless } = event("no-time", { videoId: "w" });
  return [
    { form: "single", compression: "none", events: [event("a")] },
    { form: "single", compression: "none", events: [timeless] },
    { form: "single", compression: "gzip", events: [event("bad", { eventType: "view" })] },
    { form: "array", compression: "zstd", events: [event("a"), event("b", { value: 7 })] },
    { form: "events", compression: "none", events: [event("c"), event("late", { eventTime: nowMs - 7_200_000 })] },
    { form: "cloudevents", compression: "gzip", events: [event("d"), event("old", { eventTime: 1e12 })] },
    {
      form: "batch",
      compression: "none",
      events: [event("e"), event("a"), event("far", { eventTime: nowMs + 3.6e6 })],
    },
  ];
}

/** A reader that died: what it had taken comes again, under the same ids. */
async function takenAndGivenBack(subscription: LogSubscription): Promise<void> {
  const portion = await untilTaken(subscription);
  await portion.abandon();
  await subscription.close();
}

async function untilTaken(subscription: LogSubscription) {
  const endsAt = performance.now() + DEADLINE_MS;
  while (performance.now() < endsAt) {
    const portion = await subscription.take(LIMITS);
    if (portion !== undefined) return portion;
  }
  throw new Error("nothing came");
}

async function archiveAll(subscription: LogSubscription, stores: Stores, messages: number): Promise<void> {
  const stop = AbortSignal.timeout(DEADLINE_MS);
  const done = new AbortController();
  let archived = 0;
  const options = {
    maxPortionMessages: 3,
    maxPortionBytes: 32 << 20,
    maxPortionAgeMs: 100,
    portionsInFlight: 2,
    progressIntervalMs: 100,
  };
  const deps = {
    subscription,
    archive: stores.archive,
    ledger: stores.ledger,
    payloadOf: async ({ payload }: LogMessage) => payload,
    reader: { name: "archiver", leaseMs: 60_000 },
    rules: { rawRetentionMs: RULES.rawRetentionMs },
    clock: Date.now,
  };
  await runArchiver(deps, options, AbortSignal.any([stop, done.signal]), (portion) => {
    archived += portion.messages;
    if (archived >= messages) done.abort();
  });
  await subscription.close();
  expect(archived).toBe(messages);
}

/**
 * All messages, each once, as a source that knows them by their ids gives them on; one portion is given back on the
 * way.
 */
async function receivedOf(subscription: LogSubscription, messages: number): Promise<LogMessage[]> {
  const received = new Map<string, LogMessage>();
  const givenBack = await untilTaken(subscription);
  await givenBack.abandon();
  const endsAt = performance.now() + DEADLINE_MS;
  while (received.size < messages && performance.now() < endsAt) {
    const portion = await subscription.take(LIMITS);
    for (const message of portion?.messages ?? []) received.set(message.id, message);
    await portion?.done();
  }
  await subscription.close();
  for (const { id, appendedAtMs } of givenBack.messages) expect(received.get(id)?.appendedAtMs).toBe(appendedAtMs);
  expect(received.size).toBe(messages);
  return [...received.values()];
}

function asReceived(sent: readonly Omit<Published, "publishedAtMs">[], received: readonly LogMessage[]): Published[] {
  return sent.map((each) => {
    const payload = payloadOf(each);
    const message = received.find((one) => Buffer.compare(Buffer.from(one.payload), payload) === 0);
    if (message === undefined) throw new Error(`${each.form} did not come`);
    return { ...each, publishedAtMs: message.appendedAtMs };
  });
}
