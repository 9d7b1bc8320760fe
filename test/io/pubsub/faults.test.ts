// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import pino from "pino";
import { configSchema } from "../../../cli/config/schema";
import { submitStreamJob } from "../../../cli/deployment/flink/submit-stream";
import { openSubscription } from "../../../cli/deployment/open-log";
import { MessageTooLargeError } from "../../../io/formats/messages/errors";
import { StoreUnavailableError } from "../../../io/ports";
import { subscriptionName, topicName } from "../../../io/pubsub/config";
import { subscriberClient } from "../../../io/pubsub/connection";
import { PubsubDeadLetterTopic } from "../../../io/pubsub/dead-letter-topic";
import { PubsubEventLog } from "../../../io/pubsub/event-log";
import { PubsubLogSubscription } from "../../../io/pubsub/log-subscription";
import { ensurePubsubSubscription, ensurePubsubTopic } from "../../../io/pubsub/topics";
import { type FaultProxy, type PubsubEmulator, startFaultProxy, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";
import { seeded } from "../ports/condition";
import { batchOf } from "../ports/embedded-log-contract";
import { faultRounds } from "../ports/fault-schedule";
import { drain, nextPortion, textOf } from "../ports/shared-log-contract";

const projectId = "viewmill-test";

describeWithServers("Pub/Sub behind a failing network", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  let proxy: FaultProxy;
  let topic = "";
  let subscription = "";
  const closing: { close(): Promise<void> }[] = [];
  const opened = <T extends { close(): Promise<void> }>(one: T): T => {
    closing.push(one);
    return one;
  };
  const direct = () => ({ projectId, endpoint: pubsub.host });
  const proxied = () => ({ projectId, endpoint: proxy.address, requestTimeoutMs: 1_000 });
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
    proxy = await startFaultProxy(pubsub.host);
  }, COLD_START_MS);
  afterAll(async () => {
    await proxy?.stop();
    await pubsub?.stop();
  });
  const create = async () => {
    topic = `log-${randomUUID()}`;
    subscription = `archive-${randomUUID()}`;
    expect(await ensurePubsubTopic(direct(), topic)).toBe(true);
    expect(await ensurePubsubTopic(direct(), topic)).toBe(false);
    await ensurePubsubSubscription(direct(), { topic, subscription, ackDeadlineSeconds: 10 });
  };
  beforeEach(create);
  afterEach(async () => {
    proxy.pass();
    await Promise.all(closing.splice(0).map((each) => each.close()));
  }, 60_000);
  const writer = async () => opened(await PubsubEventLog.open({ ...proxied(), topic, appendTimeoutMs: 4_000 }));
  const reader = async (connection = direct()) =>
    opened(await PubsubLogSubscription.open({ ...connection, subscription, leaseSeconds: 10 }));

  it("a subscription that gives less than its topic is refused, and says why", async () => {
    const client = await subscriberClient(direct());
    const name = (id: string) => ({
      name: subscriptionName(projectId, id),
      topic: topicName(projectId, topic),
      ackDeadlineSeconds: 10,
    });
    const config = (id: string) =>
      configSchema.parse({
        project: projectId,
        log: {
          kind: "pubsub",
          topic,
          pubsub: { endpoint: pubsub.host, archiveSubscription: id, streamSubscription: id },
        },
      });
    await client.createSubscription({ ...name("filtered"), filter: 'attributes.kind = "events"' });
    await client.createSubscription({
      ...name("lossy"),
      deadLetterPolicy: { deadLetterTopic: topicName(projectId, topic), maxDeliveryAttempts: 5 },
    });
    await client.close();
    const logger = pino({ level: "silent" });
    for (const [id, why] of [
      ["filtered", /its filter .* leaves messages out/],
      ["lossy", /dead-letter policy/],
    ] as const) {
      await expect(openSubscription(config(id), logger)).rejects.toThrow(why);
      await expect(submitStreamJob(config(id), undefined)).rejects.toThrow(why);
    }
    const whole = opened(await openSubscription(config(subscription), logger));
    expect(await whole.oldestWaitingMs()).toBeUndefined();
  });

  it("an append whose answer is lost is repeated, under one id", async () => {
    const log = await writer();
    const subscriptionReader = await reader();
    proxy.swallowAnswers(true);
    const repeated = log.append(batchOf("answer lost for a while"));
    const ids = new Set<string>();
    const read = async () => {
      const portion = await subscriptionReader.take({ maxMessages: 10, maxBytes: 1e6, waitMs: 500 });
      for (const message of portion?.messages ?? []) {
        expect(textOf(message)).toBe("answer lost for a while");
        ids.add(message.id);
      }
      await portion?.done();
    };
    // Its answer, if there is one, is on its way when the message is there.
    while (ids.size === 0) await read();
    proxy.pass();
    proxy.cut();
    proxy.pass();
    await repeated;
    for (let n = 0; n < 3; n++) await read();
    expect(ids.size).toBe(1);
  }, 60_000);

  it("acknowledges nothing that is not delivered, whatever the network does, and recovers by itself", async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.info(`seed ${seed}`);
    const random = seeded(seed);
    const log = await writer();
    const acknowledged = new Set<string>();
    let over = false;
    const append = async (caller: number) => {
      for (let n = 0; !over; n++) {
        const text = `caller ${caller} batch ${n}`;
        while (!acknowledged.has(text)) {
          await log.append(batchOf(text)).then(
            () => acknowledged.add(text),
            () => undefined,
          );
        }
        // Yields as other requests do: a caller that takes all turns delays the rest of the test.
        await setImmediate();
      }
    };
    const callers = Array.from({ length: 8 }, (_, caller) => append(caller));
    await faultRounds(6, { proxy, random, succeeded: () => acknowledged.size, mostSuccesses: 40 });
    await until("a hundred are acknowledged", () => acknowledged.size > 100);
    over = true;
    await Promise.all(callers);
    const subscriptionReader = await reader(proxied());
    const seen = new Set<string>();
    const lost = () => [...acknowledged].filter((text) => !seen.has(text));
    const untilMs = performance.now() + 40_000;
    while (lost().length > 0 && performance.now() < untilMs) {
      const portion = await subscriptionReader.take({ maxMessages: 500, maxBytes: 1e7, waitMs: 200 });
      for (const message of portion?.messages ?? []) seen.add(textOf(message));
      await portion?.done();
    }
    expect({ seed, lost: lost() }).toEqual({ seed, lost: [] });
  }, 120_000);

  it("appends are refused while the server is away and taken again, by the same log, when it is back", async () => {
    const log = await writer();
    await pubsub.kill();
    await expect(log.append(batchOf("while away"))).rejects.toThrow(StoreUnavailableError);
    await expect(log.ping()).rejects.toThrow(StoreUnavailableError);
    await pubsub.restart();
    // The emulator forgets everything when it ends.
    await ensurePubsubTopic(direct(), topic);
    await ensurePubsubSubscription(direct(), { topic, subscription });
    await vi.waitFor(() => log.append(batchOf("after")), 20_000);
    expect([...(await drain(await reader(), 1)).keys()]).toEqual(["after"]);
  }, 60_000);

  it("keeps an open portion from other readers for as long as it is open", async () => {
    const log = await writer();
    await log.append(batchOf("held"));
    const portion = await nextPortion(await reader());
    const other = await reader();
    const untilMs = performance.now() + 14_000;
    while (performance.now() < untilMs) {
      expect(await other.take({ maxMessages: 1, maxBytes: 1e6, waitMs: 1_000 })).toBeUndefined();
    }
    await portion.abandon();
    expect((await nextPortion(other)).messages.map(textOf)).toEqual(["held"]);
  }, 60_000);

  it("says that a message is too large before it sends it", async () => {
    const log = await writer();
    await expect(log.append(batchOf("x".repeat(9_900_000)))).rejects.toThrow(MessageTooLargeError);
    await log.append(batchOf("x".repeat(9_800_000)));
    expect((await nextPortion(await reader())).messages[0]!.payload.byteLength).toBe(9_800_000);
  }, 60_000);

  it("publishes a dead letter whole, with its reason", async () => {
    const letters = opened(await PubsubDeadLetterTopic.open({ ...direct(), topic }));
    const payload = Buffer.from([0, 255, 1, 254]);
    const letter = {
      receivedAtMs: 5,
      reason: "not-avro",
      detail: "no header",
      payload,
      contentType: "application/octet-stream",
      source: "pipeline",
    } as const;
    await letters.publishDeadLetter(letter);
    const [message] = (await nextPortion(await reader())).messages;
    expect(Buffer.from(message!.payload).equals(payload)).toBe(true);
    expect(message!.acceptedByMinute).toBeUndefined();
  });
});
