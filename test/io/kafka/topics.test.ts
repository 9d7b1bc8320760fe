// SPDX-License-Identifier: Apache-2.0
import { randomBytes, randomUUID } from "node:crypto";
import { Kafka, KafkaJSNonRetriableError, type KafkaMessage, logLevel } from "kafkajs";
import pino from "pino";
import { configSchema } from "../../../cli/config/schema";
import { submitStreamJob } from "../../../cli/deployment/flink/submit-stream";
import { openSubscription } from "../../../cli/deployment/open-log";
import { MessageTooLargeError } from "../../../io/formats/messages/errors";
import { KafkaDeadLetterTopic } from "../../../io/kafka/dead-letter-topic";
import { KafkaEventLog } from "../../../io/kafka/event-log";
import { KafkaLogSubscription } from "../../../io/kafka/log-subscription";
import { createLedTopic, ensureKafkaTopic, onceCoordinated } from "../../../io/kafka/topics";
import { StoreUnavailableError } from "../../../io/ports";
import { type KafkaServer, startKafka } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { batchOf } from "../ports/embedded-log-contract";

describe("a cluster that has no groups yet", () => {
  it("is asked again until a broker keeps the group, and other failures are final", async () => {
    // Its class is typed without the message that it needs.
    const notFound = Object.assign(new KafkaJSNonRetriableError("no coordinator"), {
      name: "KafkaJSGroupCoordinatorNotFound",
    });
    const answers = [notFound, undefined];
    const asked = vi.fn(async () => {
      const failure = answers.shift();
      if (failure !== undefined) throw failure;
      return "placed";
    });
    expect(await onceCoordinated(asked)).toBe("placed");
    expect(asked).toHaveBeenCalledTimes(2);
    const refused = vi.fn(async () => Promise.reject(new KafkaJSNonRetriableError("not authorized")));
    await expect(onceCoordinated(refused)).rejects.toThrow("not authorized");
    expect(refused).toHaveBeenCalledTimes(1);
  });
});

describeWithServers("Kafka topics", ["kafka"], () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka();
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());

  it("a dead letter is published whole, with what is known of it as headers", async () => {
    const connection = { brokers: [kafka.bootstrap] };
    const topic = `letters-${randomUUID()}`;
    expect(await ensureKafkaTopic(connection, { topic, partitions: 1 })).toBe(true);
    expect(await ensureKafkaTopic(connection, { topic, partitions: 1 })).toBe(false);
    const letters = await KafkaDeadLetterTopic.open({ ...connection, topic });
    const payload = Buffer.from([0, 255, 1, 254]);
    await letters.publishDeadLetter({
      receivedAtMs: 5,
      reason: "bad-video-id",
      detail: "é".repeat(2_000),
      eventId: "event-1",
      payload,
      contentType: "application/json",
      source: "ingest",
    });
    await letters.close();
    const consumer = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).consumer({
      groupId: randomUUID(),
    });
    await consumer.subscribe({ topic, fromBeginning: true });
    const message = await new Promise<KafkaMessage>((resolve) => {
      void consumer.run({ eachMessage: async (each) => resolve(each.message) });
    });
    await consumer.disconnect();
    expect(message.value!.equals(payload)).toBe(true);
    const headers = Object.fromEntries(Object.entries(message.headers!).map(([name, value]) => [name, String(value)]));
    expect(headers).toEqual({
      "viewmill-reason": "bad-video-id",
      "viewmill-detail": "é".repeat(512),
      "viewmill-event-id": "event-1",
      "viewmill-source": "ingest",
      "viewmill-received-at": "5",
      "viewmill-content-type": "application/json",
    });
  }, 30_000);

  it("a message above the bound is refused by the log, and one above the topic's bound by the broker, without hurting others", async () => {
    const connection = { brokers: [kafka.bootstrap] };
    const topic = `small-${randomUUID()}`;
    await ensureKafkaTopic(connection, { topic, partitions: 1, maxMessageBytes: 100_000 });
    const log = await KafkaEventLog.open({ ...connection, topic, maxMessageBytes: 300_000, maxRequestBytes: 100_000 });
    await expect(log.append(batchOf("x".repeat(300_000)))).rejects.toThrow(/bound of 300000/);
    const [tooLarge, fits] = await Promise.allSettled([
      log.append(batchOf("x".repeat(200_000))),
      log.append(batchOf("fits")),
    ]);
    expect(tooLarge).toMatchObject({ reason: expect.any(MessageTooLargeError) });
    expect(fits!.status).toBe("fulfilled");
    await log.close();
  }, 30_000);

  it("neither side of a log opens on a topic that does not exist, and both name it", async () => {
    const options = { brokers: [kafka.bootstrap], topic: "nowhere" };
    const sides = [
      () => KafkaEventLog.open(options),
      () => KafkaLogSubscription.open({ ...options, groupId: "nobody" }),
    ];
    for (const open of sides) {
      const opened = open();
      await expect(opened).rejects.toThrow(StoreUnavailableError);
      await expect(opened).rejects.toThrow("Kafka, topic nowhere: there is no such topic");
    }
  }, 30_000);

  it("readers refuse a topic whose messages bear the times of their producers", async () => {
    const [brokers, topic] = [kafka.bootstrap, `producers-times-${randomUUID()}`];
    const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
    const configEntries = [{ name: "message.timestamp.type", value: "CreateTime" }];
    await createLedTopic(admin, { topic, configEntries });
    await admin.disconnect();
    const config = configSchema.parse({ log: { kind: "kafka", topic, kafka: { brokers } } });
    const refused = { name: "ConfigError", message: expect.stringContaining(`${topic} bear the times of their prod`) };
    await expect(openSubscription(config, pino({ level: "silent" }))).rejects.toMatchObject(refused);
    await expect(submitStreamJob(config, undefined)).rejects.toMatchObject(refused);
  }, 30_000);

  it.each(["uncompressed", "gzip", "snappy", "lz4", "zstd"])(
    "messages are read as they were sent from a topic whose batches are %s",
    async (compression) => {
      const [connection, topic] = [{ brokers: [kafka.bootstrap] }, `${compression}-${randomUUID()}`];
      const client = new Kafka({ ...connection, logLevel: logLevel.NOTHING });
      const [admin, producer] = [client.admin(), client.producer()];
      await Promise.all([admin.connect(), producer.connect()]);
      // The broker compresses anew, with the libraries that Java's producers have.
      const entries = { "compression.type": compression, "max.message.bytes": String(8 << 20) };
      const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
      await createLedTopic(admin, { topic, numPartitions: 1, configEntries });
      const lines = Array.from({ length: 60_000 }, (_, n) => `{"eventId":"e-${n % 777}","videoId":"v-${n % 13}"}`);
      const values = [
        Buffer.from("a"),
        Buffer.from(lines.join()),
        Buffer.alloc(0),
        randomBytes(300_000),
        Buffer.alloc(200_000),
      ];
      await producer.send({ topic, messages: values.map((value) => ({ value })) });
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      const subscription = await KafkaLogSubscription.open({ ...connection, topic, groupId: topic });
      const read: Uint8Array[] = [];
      try {
        while (read.length < values.length) {
          const portion = await subscription.take({ maxMessages: 100, maxBytes: 100 << 20, waitMs: 1_000 });
          if (portion === undefined) continue;
          read.push(...portion.messages.map(({ payload }) => payload));
          await portion.done();
        }
      } finally {
        await subscription.close();
      }
      expect(read.map((payload, n) => Buffer.compare(payload, values[n]!))).toEqual(values.map(() => 0));
    },
    30_000,
  );

  it("an idle connection costs no timer, and warns of none", async () => {
    const { prototype } = require("kafkajs/src/network/requestQueue") as {
      prototype: { checkPendingRequests(): void };
    };
    const warnings: string[] = [];
    const warned = (warning: Error) => warnings.push(warning.name);
    process.on("warning", warned);
    const connection = { brokers: [kafka.bootstrap] };
    const topic = `idle-${randomUUID()}`;
    await ensureKafkaTopic(connection, { topic, partitions: 1 });
    const log = await KafkaEventLog.open({ ...connection, topic });
    const looks = vi.spyOn(prototype, "checkPendingRequests");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(looks.mock.calls.length).toBeLessThan(5);
    looks.mockRestore();
    await log.close();
    process.off("warning", warned);
    expect(warnings).not.toContain("TimeoutNegativeWarning");
  }, 30_000);
});
