// SPDX-License-Identifier: Apache-2.0
/**
 * The behaviour of Viewmill's Kafka clients beside carrying messages: the connections that they open and close, and the
 * parts of a topic that they read.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompressionCodecs, CompressionTypes, type Producer } from "kafkajs";
import pino from "pino";
import { ClosingAdmin } from "../../../io/kafka/closing-admin";
import type { KafkaConnection } from "../../../io/kafka/config";
import { KafkaEventLog } from "../../../io/kafka/event-log";
import { GroupLag } from "../../../io/kafka/group-lag";
import { KafkaLogSubscription, type SkippedRange } from "../../../io/kafka/log-subscription";
import { librdkafkaTransactions } from "../../../servers";
import { describeWithServers } from "../../servers/with-servers";
import { batchOf } from "../ports/embedded-log-contract";
import { nextPortion, textOf } from "../ports/shared-log-contract";
import { through } from "./proxied";
import { withKafka } from "./with-kafka";

const CLI = join(__dirname, "..", "..", "..", "cli", "main.js");
const DEADLINE = { timeout: 30_000, interval: 50 };

describeWithServers("clients of Kafka", ["kafka", "librdkafka"], () => {
  const kafka = withKafka({ partitions: 2 });
  let topic = "";
  beforeEach(() => {
    topic = kafka.topic;
  });

  const none = () => vi.waitFor(() => expect(kafka.proxy.connections).toBe(0), DEADLINE);
  const reader = async (
    options: { connection?: KafkaConnection; onSkipped?: (range: SkippedRange) => void; groupId?: string } = {},
  ) => {
    const { connection = { brokers: [kafka.bootstrap] }, onSkipped, groupId = `group-${topic}` } = options;
    const subscription = await KafkaLogSubscription.open({
      ...connection,
      topic,
      groupId,
      sessionTimeoutMs: 6_000,
      ...(onSkipped === undefined ? {} : { onSkipped }),
    });
    kafka.closeAfter(() => subscription.close());
    return subscription;
  };
  /** The readers' position in partition 0. */
  const committed = () =>
    kafka.admin(async (one) => {
      const [group] = await one.fetchOffsets({ groupId: `group-${topic}`, topics: [topic] });
      return group!.partitions.find(({ partition }) => partition === 0)!.offset;
    });
  /** Takes and finishes until nothing waits; the texts, in the order in which they came. */
  const readAll = async (subscription: KafkaLogSubscription): Promise<string[]> => {
    const texts: string[] = [];
    do {
      const portion = await subscription.take({ maxMessages: 100, maxBytes: 1 << 20, waitMs: 200 });
      texts.push(...(portion?.messages.map(textOf) ?? []));
      await portion?.done();
    } while ((await subscription.oldestWaitingMs()) !== undefined);
    return texts;
  };

  it("connections are as many after a hundred refreshes of the partitions as after one, and none after close", async () => {
    const log = await KafkaEventLog.open({ ...through(kafka.proxy), topic, partitionsRefreshMs: 1 });
    await Promise.all([1, 2, 3].map((n) => log.append(batchOf(`first ${n}`))));
    const settled = kafka.proxy.connections;
    for (let n = 0; n < 100; n++) {
      await Promise.all([log.append(batchOf(`a ${n}`)), log.append(batchOf(`b ${n}`)), log.ping()]);
    }
    expect(kafka.proxy.connections).toBeLessThanOrEqual(settled);
    await log.close();
    await none();
  }, 60_000);

  it("connections are as many when the topic has got more partitions, which are then written to as well", async () => {
    const log = await KafkaEventLog.open({ ...through(kafka.proxy), topic, partitionsRefreshMs: 1 });
    await log.append(batchOf("before"));
    const settled = kafka.proxy.connections;
    await kafka.admin(async (one) => {
      await one.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
      await vi.waitFor(async () => {
        await log.append(batchOf("after"));
        const written = (await one.fetchTopicOffsets(topic)).filter(({ high }) => Number(high) > 0);
        expect(written.map(({ partition }) => partition)).toEqual(expect.arrayContaining([2, 3]));
      }, DEADLINE);
    });
    await vi.waitFor(() => expect(kafka.proxy.connections).toBeLessThanOrEqual(settled), DEADLINE);
    await log.close();
    await none();
  }, 90_000);

  it("connections are none after a close while a producer is being replaced, and a closed log opens no new one", async () => {
    const log = await KafkaEventLog.open({
      ...through(kafka.proxy),
      topic,
      appendTimeoutMs: 5_000,
      partitionsRefreshMs: 1,
    });
    await log.append(batchOf("before"));
    kafka.proxy.cut();
    await expect(log.append(batchOf("while away"))).rejects.toThrow();
    kafka.proxy.pass();
    const pinging = log.ping().catch(() => undefined);
    await log.close();
    await pinging;
    await expect(log.ping()).rejects.toThrow("closed");
    await none();
  }, 60_000);

  it("a reader that is closed in the moment it fails stays closed", async () => {
    const compressed = kafka.client().producer();
    await compressed.connect();
    await compressed.send({ ...record("a"), compression: CompressionTypes.ZSTD });
    await compressed.disconnect();
    let closed: Promise<void> | undefined;
    let subscription: KafkaLogSubscription | undefined;
    const logger = pino(
      { level: "trace" },
      {
        write: (line) => {
          if (line.includes("kafkajs: Crash")) closed ??= subscription?.close();
        },
      },
    );
    const zstd = CompressionCodecs[CompressionTypes.ZSTD]!;
    // kafkajs gives up at once for an error of this name; it would begin again after one that may pass.
    CompressionCodecs[CompressionTypes.ZSTD] = () => {
      throw Object.assign(new Error("no codec"), { name: "KafkaJSNotImplemented", retriable: true });
    };
    try {
      subscription = await reader({ connection: { ...through(kafka.proxy), logger } });
      await vi.waitFor(() => expect(closed).toBeDefined(), DEADLINE);
      await closed;
    } finally {
      CompressionCodecs[CompressionTypes.ZSTD] = zstd;
    }
    await none();
    // kafkajs would come back after 0.1 s.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(kafka.proxy.connections).toBe(0);
  }, 60_000);

  const producer = async (): Promise<Producer> => {
    const one = kafka.client().producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true });
    await one.connect();
    kafka.closeAfter(() => one.disconnect());
    return one;
  };
  const record = (text: string, key: Buffer | null = null) => ({
    topic,
    messages: [{ partition: 0, key, value: text }],
  });

  it("only what is committed is read, however transactions overlap and whatever their keys are", async () => {
    const [long, short, steady] = [await producer(), await producer(), await producer()];
    const first = await long.transaction();
    await first.send(record("aborted long 1"));
    const second = await short.transaction();
    await second.send(record("aborted short"));
    await second.abort();
    await first.send(record("aborted long 2", Buffer.alloc(4)));
    await first.send(record("aborted long 3"));
    await first.abort();
    const third = await steady.transaction();
    await third.send(record("committed 1"));
    await third.send(record("committed 2", Buffer.alloc(4)));
    await third.commit();
    const skipped: SkippedRange[] = [];
    const subscription = await reader({ onSkipped: (range) => skipped.push(range) });
    expect(await readAll(subscription)).toEqual(["committed 1", "committed 2"]);
    // Markers and aborted records are read over, and the group's position is behind them.
    expect(skipped).toEqual([]);
    const ends = await kafka.admin((one) => one.fetchTopicOffsets(topic));
    expect(await committed()).toBe(ends.find(({ partition }) => partition === 0)!.high);
  }, 60_000);

  it("only what librdkafka committed is read, in whichever way it compressed it", async () => {
    const ways = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
    const transactions = ways.flatMap((compression) =>
      (["abort", "commit"] as const).map((outcome) => ({
        transactionalId: `${topic} ${compression} ${outcome}`,
        outcome,
        compression,
        messages: [1, 2].map((n) => ({ partition: 0, value: `${compression} ${outcome} ${n} ${"x".repeat(200)}` })),
      })),
    );
    await librdkafkaTransactions(kafka.bootstrap, topic, transactions);
    const read = (await readAll(await reader())).map((text) => text.slice(0, -201));
    expect(read.toSorted()).toEqual(ways.flatMap((way) => [`${way} commit 1`, `${way} commit 2`]).toSorted());
  }, 120_000);

  it("what lies behind an open transaction waits, since the transaction's first message", async () => {
    const subscription = await reader();
    const one = await producer();
    const beforeMs = Date.now();
    const transaction = await one.transaction();
    await transaction.send(record("open"));
    const afterMs = Date.now();
    const plain = kafka.client().producer();
    await plain.connect();
    kafka.closeAfter(() => plain.disconnect());
    await plain.send(record("behind it"));
    expect(await subscription.take({ maxMessages: 10, maxBytes: 1 << 20, waitMs: 500 })).toBeUndefined();
    const oldestMs = await subscription.oldestWaitingMs();
    expect(oldestMs).toBeGreaterThanOrEqual(beforeMs - 200);
    expect(oldestMs).toBeLessThanOrEqual(afterMs);
    await transaction.commit();
    expect(await readAll(subscription)).toEqual(["open", "behind it"]);
  }, 60_000);

  const deleteTo = (partition: number, offset: number) =>
    kafka.admin(async (one) => {
      // kafkajs knows the leaders only of topics that it was asked about.
      await one.fetchTopicOffsets(topic);
      await one.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
    });
  const write = async (...texts: string[]) => {
    const plain = kafka.client().producer();
    await plain.connect();
    for (const text of texts) await plain.send(record(text));
    await plain.disconnect();
  };

  it("deleted records are told, by topic, partition and offsets, to a group that has never read", async () => {
    await write("a", "b", "c", "d");
    await deleteTo(0, 3);
    const skipped: SkippedRange[] = [];
    const subscription = await reader({ onSkipped: (range) => skipped.push(range) });
    expect(await readAll(subscription)).toEqual(["d"]);
    expect(skipped).toEqual([{ topic, partition: 0, fromOffset: 0, toOffset: 3 }]);
    expect(subscription.skippedMessages).toBe(3);
  }, 60_000);

  it("deleted records are told though nothing comes after them, once, and by the next reader no more", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "error" }, { write: (line) => void lines.push(line) });
    await write("a", "b");
    const first = await reader({ connection: { brokers: [kafka.bootstrap], logger } });
    await (await nextPortion(first, { maxMessages: 1 })).done();
    await first.close();
    await write("c", "d");
    await deleteTo(0, 4);
    const skipped: SkippedRange[] = [];
    const onSkipped = (range: SkippedRange) => skipped.push(range);
    const second = await reader({ connection: { brokers: [kafka.bootstrap], logger }, onSkipped });
    const told = [{ topic, partition: 0, fromOffset: 1, toOffset: 4 }];
    await vi.waitFor(async () => {
      expect(await second.oldestWaitingMs()).toBeUndefined();
      expect(skipped).toEqual(told);
      expect(await committed()).toBe("4");
    }, DEADLINE);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { ...told[0], msg: expect.stringContaining("left the log") },
    ]);
    await second.close();
    const third = await reader({ onSkipped });
    expect(await readAll(third)).toEqual([]);
    await write("e");
    expect(await readAll(third)).toEqual(["e"]);
    expect(skipped).toEqual(told);
  }, 60_000);

  it("records that are deleted under a running reader are told though nothing comes after them", async () => {
    const skipped: SkippedRange[] = [];
    const subscription = await reader({ connection: through(kafka.proxy), onSkipped: (range) => skipped.push(range) });
    await write("a");
    expect(await readAll(subscription)).toEqual(["a"]);
    kafka.proxy.cut();
    await write("b", "c");
    await deleteTo(0, 3);
    kafka.proxy.pass();
    await vi.waitFor(async () => {
      expect(await subscription.oldestWaitingMs()).toBeUndefined();
      expect(skipped).toEqual([{ topic, partition: 0, fromOffset: 1, toOffset: 3 }]);
    }, DEADLINE);
    await write("d");
    expect(await readAll(subscription)).toEqual(["d"]);
  }, 60_000);

  it("the archiver's process counts what it lost in its metrics", async () => {
    await write("a", "b", "c", "d");
    await deleteTo(0, 3);
    const folder = mkdtempSync(join(tmpdir(), "viewmill-skipped-"));
    const configFile = join(folder, "viewmill.json");
    const log = { kind: "kafka", topic, kafka: { brokers: kafka.bootstrap } };
    writeFileSync(configFile, JSON.stringify({ data: join(folder, "data"), logLevel: "error", log }));
    const archiver = spawn(process.execPath, [CLI, "archive", "--config", configFile], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise((resolve) => archiver.once("exit", resolve));
    let [said, logged] = ["", ""];
    archiver.stdout.on("data", (text: Buffer) => {
      said += text.toString();
    });
    archiver.stderr.on("data", (text: Buffer) => {
      logged += text.toString();
    });
    try {
      const url = () => /health on (http:\S+)healthz/.exec(said)?.[1];
      await vi.waitFor(() => expect(url()).toBeDefined(), DEADLINE);
      await vi.waitFor(async () => {
        const metrics = await (await fetch(`${url()}metrics`)).text();
        expect(metrics).toMatch(/^viewmill_archive_skipped_messages_total 3$/m);
      }, DEADLINE);
      const lines = logged.split("\n").filter((line) => line.includes("left the log"));
      expect(lines.map((line) => JSON.parse(line))).toMatchObject([
        { topic, partition: 0, fromOffset: 0, toOffset: 3 },
      ]);
    } finally {
      archiver.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    }
  }, 90_000);

  it("the oldest message that waits is found by the brokers' times, whatever clock the search begins at", async () => {
    await write("a");
    const subscription = await reader();
    const { messages } = await nextPortion(subscription);
    const admin = new ClosingAdmin(kafka.client().admin());
    await admin.ask((one) => one.connect());
    kafka.closeAfter(() => admin.close());
    const [{ appendedAtMs }, hourMs] = [messages[0]!, 3_600_000];
    for (const aboutMs of [appendedAtMs - hourMs, appendedAtMs, appendedAtMs + 1, appendedAtMs + hourMs]) {
      const oldestMs = await new GroupLag(admin, topic, `group-${topic}`).oldestWaitingMs(aboutMs);
      // Never younger than it is, and older by a twentieth of the age that it seems to have.
      expect(oldestMs).toBeLessThanOrEqual(appendedAtMs);
      expect(oldestMs).toBeGreaterThan(appendedAtMs - 100 - 0.06 * hourMs);
    }
  }, 60_000);
});
