// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import type { KafkaConnection } from "../../../io/kafka/config";
import { KafkaEventLog } from "../../../io/kafka/event-log";
import { KafkaLogSubscription, type SkippedRange } from "../../../io/kafka/log-subscription";
import { PortionLostError, StoreUnavailableError } from "../../../io/ports";
import { describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";
import { seeded } from "../ports/condition";
import { batchOf } from "../ports/embedded-log-contract";
import { faultRounds } from "../ports/fault-schedule";
import { drain, nextPortion, textOf } from "../ports/shared-log-contract";
import { through } from "./proxied";
import { withKafka } from "./with-kafka";

const READ_ALL = { timeout: 150_000, interval: 1_000 };

describeWithServers("Kafka behind a failing network", ["kafka"], () => {
  const kafka = withKafka({ partitions: 3 });
  let topic = "";
  beforeEach(() => {
    topic = kafka.topic;
  });
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    kafka.closeAfter(() => one.close());
    return one;
  };

  const writer = async () =>
    opened(
      await KafkaEventLog.open({ ...through(kafka.proxy), topic, appendTimeoutMs: 6_000, maxRequestBytes: 2_000 }),
    );
  const reader = async (
    connection: KafkaConnection = { brokers: [kafka.bootstrap] },
    onSkipped?: (range: SkippedRange) => void,
  ) =>
    opened(
      await KafkaLogSubscription.open({
        ...connection,
        topic,
        groupId: `group-${topic}`,
        sessionTimeoutMs: 6_000,
        commitTimeoutMs: 4_000,
        ...(onSkipped === undefined ? {} : { onSkipped }),
      }),
    );
  /** Messages after the positions of the readers' group. */
  const unread = () =>
    kafka.admin(async (one) => {
      const [group] = await one.fetchOffsets({ groupId: `group-${topic}`, topics: [topic] });
      const ends = await one.fetchTopicOffsets(topic);
      const read = group!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
      return ends.reduce((sum, { high }) => sum + Number(high), 0) - read;
    });
  const messages = async () =>
    (await kafka.admin((one) => one.fetchTopicOffsets(topic))).reduce((sum, { high }) => sum + Number(high), 0);
  /** Returns how often each text is in the topic, acknowledged or not. */
  const inTopic = async (): Promise<Map<string, number>> => {
    const ends = await kafka.admin((one) => one.fetchTopicOffsets(topic));
    let left = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
    const all = opened(await KafkaLogSubscription.open({ brokers: [kafka.bootstrap], topic, groupId: randomUUID() }));
    const times = new Map<string, number>();
    while (left > 0) {
      const portion = await nextPortion(all);
      for (const message of portion.messages) times.set(textOf(message), (times.get(textOf(message)) ?? 0) + 1);
      left -= portion.messages.length;
      await portion.done();
    }
    return times;
  };

  it("an append whose answer is lost is repeated and is in the topic once; one that is rejected may be there", async () => {
    const log = await writer();
    kafka.proxy.swallowAnswers(true);
    const short = log.append(batchOf("answer lost for a while"));
    await vi.waitFor(async () => expect(await messages()).toBe(1), 20_000);
    kafka.proxy.pass();
    await short;
    kafka.proxy.swallowAnswers(true);
    await expect(log.append(batchOf("answer lost for good"))).rejects.toThrow(StoreUnavailableError);
    kafka.proxy.pass();
    await vi.waitFor(() => log.append(batchOf("afterwards")), 20_000);
    const times = await inTopic();
    expect(times.get("answer lost for a while")).toBe(1);
    expect(times.get("afterwards")).toBe(1);
  }, 60_000);

  it("acknowledges nothing that is not in the topic, and nothing twice, whatever the network does", async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.info(`seed ${seed}`);
    const random = seeded(seed);
    const log = await writer();
    const acknowledged = new Set<string>();
    const refusals = new Map<string, number>();
    let over = false;
    const append = async (caller: number) => {
      for (let n = 0; !over; n++) {
        const text = `caller ${caller} batch ${n}`.padEnd(200 + ((n * 37) % 900), "x");
        while (!acknowledged.has(text)) {
          await log.append(batchOf(text)).then(
            () => acknowledged.add(text),
            () => refusals.set(text, (refusals.get(text) ?? 0) + 1),
          );
        }
      }
    };
    const callers = Array.from({ length: 12 }, (_, caller) => append(caller));
    await faultRounds(12, { proxy: kafka.proxy, random, succeeded: () => acknowledged.size, mostSuccesses: 60 });
    kafka.proxy.cut();
    await until("an append is refused", () => refusals.size > 0);
    kafka.proxy.pass();
    over = true;
    await Promise.all(callers);
    const times = await inTopic();
    const lost = [...acknowledged].filter((text) => !times.has(text));
    const tooOften = [...times].filter(([text, count]) => count > 1 + (refusals.get(text) ?? 0));
    expect({ seed, lost, tooOften }).toEqual({ seed, lost: [], tooOften: [] });
    expect(acknowledged.size).toBeGreaterThan(100);
    expect(refusals.size).toBeGreaterThan(0);
  }, 180_000);

  it("appends are refused while the broker is away and taken again, by the same log, when it is back", async () => {
    const log = await writer();
    await log.append(batchOf("before"));
    await kafka.server.kill();
    await expect(log.append(batchOf("while away"))).rejects.toThrow(StoreUnavailableError);
    await expect(log.ping()).rejects.toThrow(StoreUnavailableError);
    await kafka.server.restart();
    await vi.waitFor(() => log.ping(), 30_000);
    await vi.waitFor(() => log.append(batchOf("after")), 30_000);
    const times = await inTopic();
    expect([times.get("before"), times.get("after")]).toEqual([1, 1]);
  }, 120_000);

  it("a reader goes on after cuts and a restarted broker, and no message is ever in two portions of different names", async () => {
    const log = await writer();
    const texts = Array.from({ length: 301 }, (_, n) => `batch ${n}`);
    await Promise.all(texts.map((text) => vi.waitFor(() => log.append(batchOf(text)), 20_000)));
    const namesOf = new Map<string, Set<string>>();
    const idsOf = new Map<string, string>();
    const handedOut = new Set<string>();
    let over = false;
    const readers = [await reader(through(kafka.proxy)), await reader(through(kafka.proxy))];
    const work = async (subscription: KafkaLogSubscription) => {
      while (!over) {
        const portion = await subscription.take({ maxMessages: 7, maxBytes: 1e6, waitMs: 200 });
        if (portion === undefined) continue;
        const ids = portion.messages.map(({ id }) => id);
        expect(idsOf.get(portion.name) ?? ids.join()).toBe(ids.join());
        idsOf.set(portion.name, ids.join());
        for (const id of ids) namesOf.set(id, (namesOf.get(id) ?? new Set()).add(portion.name));
        for (const message of portion.messages) handedOut.add(textOf(message));
        // Whether a portion is done when this says that it could not be told, the group's positions say.
        await portion.done().catch(() => undefined);
      }
    };
    const works = readers.map(work);
    await vi.waitFor(() => expect(handedOut.size).toBeGreaterThan(10), READ_ALL);
    const refusedBefore = kafka.proxy.refusedConnections;
    kafka.proxy.cut();
    await vi.waitFor(() => expect(kafka.proxy.refusedConnections).toBeGreaterThan(refusedBefore + 2), READ_ALL);
    kafka.proxy.pass();
    await vi.waitFor(() => expect(kafka.proxy.connections).toBeGreaterThan(0), READ_ALL);
    await kafka.server.kill();
    await kafka.server.restart();
    works.push(work(await reader()));
    await Promise.race([Promise.all(works), vi.waitFor(async () => expect(await unread()).toBe(0), READ_ALL)]);
    over = true;
    await Promise.all(works);
    expect([...handedOut].sort()).toEqual([...texts].sort());
    expect([...namesOf.values()].filter((names) => names.size > 1)).toEqual([]);
  }, 180_000);

  it("a reader that lost its partition cannot acknowledge; the new owner takes the same portion", async () => {
    const log = await writer();
    await Promise.all(Array.from({ length: 30 }, (_, n) => log.append(batchOf(`batch ${n}`))));
    const first = await reader();
    const open = await nextPortion(first, { maxMessages: 4 });
    const second = await reader();
    await expect(
      vi.waitFor(async () => {
        // The group takes a moment to notice the second reader.
        const other = await second.take({ maxMessages: 9, maxBytes: 1e6, waitMs: 100 });
        expect(other).toBeDefined();
        await other!.abandon();
      }, 20_000),
    ).resolves.toBeUndefined();
    await expect(open.done()).rejects.toThrow(PortionLostError);
    await first.close();
    const names = new Map<string, string>();
    for (let left = 30; left > 0; ) {
      const portion = await nextPortion(second, { maxMessages: 9 });
      try {
        await portion.done();
      } catch (error) {
        // The first reader's leave has the group share its partitions out once more: an open portion is taken again.
        if (error instanceof PortionLostError) continue;
        throw error;
      }
      names.set(portion.name, portion.messages.map(({ id }) => id).join());
      left -= portion.messages.length;
    }
    expect(names.get(open.name)).toBe(open.messages.map(({ id }) => id).join());
  }, 60_000);

  it("goes on at the earliest message, and says so, when the log has dropped what was not read", async () => {
    const log = await writer();
    await Promise.all(Array.from({ length: 60 }, (_, n) => log.append(batchOf(`batch ${n}`))));
    const first = await reader();
    const open = await nextPortion(first, { maxMessages: 5 });
    await first.close();
    const partition = Number(/-(\d+)-\d{15}-\d{15}$/.exec(open.name)![1]);
    const offset = String(Number(open.messages.at(-1)!.id.split("-").at(-1)));
    await kafka.admin(async (one) => {
      // kafkajs knows the leaders only of topics that it was asked about.
      await one.fetchTopicOffsets(topic);
      await one.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
    });
    const skipped: SkippedRange[] = [];
    const second = await reader(undefined, (range) => skipped.push(range));
    const seen = await drain(second, 56);
    expect(skipped).toEqual([{ topic, partition, fromOffset: 0, toOffset: Number(offset) }]);
    expect(second.skippedMessages).toBe(4);
    for (const message of open.messages.slice(0, 4)) expect(seen.has(textOf(message))).toBe(false);
    expect(seen.has(textOf(open.messages.at(-1)!))).toBe(true);
  }, 60_000);
});
