// SPDX-License-Identifier: Apache-2.0
/** Each place of a deployment is checked and created by one command; errors about a missing place name the command. */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import fc from "fast-check";
import pino from "pino";
import * as bigtable from "../../../cli/commands/bigtable";
import * as kafkaCommand from "../../../cli/commands/kafka";
import * as pubsubCommand from "../../../cli/commands/pubsub";
import * as storage from "../../../cli/commands/storage";
import { type Config, configSchema } from "../../../cli/config/schema";
import { openArchive } from "../../../cli/deployment/open-archive";
import { openCounters } from "../../../cli/deployment/open-counters";
import { openSharedLog, openSubscription } from "../../../cli/deployment/open-log";
import { gcsFolder } from "../../../engine/dataflow";
import { bucketProblem as engineProblem } from "../../../engine/dataflow/bucket-name";
import { differencesOf as bucketDifferences } from "../../../io/gcs/bucket-differences";
import { bucketProblem } from "../../../io/gcs/bucket-name";
import { kafkaOf } from "../../../io/kafka/connection";
import { createLedTopic } from "../../../io/kafka/topics";
import type { Place } from "../../../io/ports/places";
import { subscriptionName, topicName } from "../../../io/pubsub/config";
import { subscriberClient } from "../../../io/pubsub/connection";
import { differencesOf } from "../../../io/pubsub/subscription-differences";
import { ensurePubsubTopic } from "../../../io/pubsub/topics";
import {
  type BigtableEmulator,
  type GcsEmulator,
  type KafkaServer,
  type PubsubEmulator,
  startBigtableEmulator,
  startGcsEmulator,
  startKafka,
  startPubsubEmulator,
} from "../../../servers";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { batchOf } from "../../io/ports/embedded-log-contract";
import { nextPortion, textOf } from "../../io/ports/shared-log-contract";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";

vi.setConfig({ testTimeout: 240_000 });
const logger = pino({ level: "silent" });
afterAll(removeFolders);

interface Answer {
  places: Place[];
  status: number;
}

/** `viewmill ... --json` in this process. */
async function viewmill(settings: object, ...args: readonly string[]): Promise<Answer> {
  const file = join(temporaryFolder(), "viewmill.json");
  writeFileSync(file, JSON.stringify(settings));
  const program = new Command("viewmill").exitOverride().enablePositionalOptions();
  for (const command of [kafkaCommand, pubsubCommand, storage, bigtable]) command.register(program);
  let printed = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await program.parseAsync(["node", "viewmill", ...args, "--json", "--config", file]);
    return { places: JSON.parse(printed) as Place[], status: Number(process.exitCode ?? 0) };
  } finally {
    write.mockRestore();
    process.exitCode = undefined;
  }
}

const outcomes = ({ places }: Answer) => places.map(({ kind, outcome }) => `${kind} ${outcome}`);
const words = ({ places }: Answer) => places.flatMap(({ differences }) => differences);
const parsed = (settings: object): Config => configSchema.parse(settings);

it.each([["kafka"], ["pubsub"], ["storage"], ["bigtable"]])(
  "%s init of a deployment that has none is an error",
  async (command) => {
    await expect(viewmill({}, command, "init")).rejects.toMatchObject({ name: "ConfigError" });
  },
);

describeWithServers("viewmill pubsub init", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
  }, COLD_START_MS);
  afterAll(() => pubsub?.stop());
  const fresh = () => {
    const id = randomUUID().slice(0, 8);
    const [streamSubscription, archiveSubscription] = [`stream-${id}`, `archive-${id}`];
    return {
      log: {
        kind: "pubsub",
        topic: `events-${id}`,
        deadLetterTopic: `letters-${id}`,
        pubsub: { endpoint: pubsub.host, streamSubscription, archiveSubscription },
      },
    };
  };

  it("makes what is missing; --check makes nothing, and says what is missing with status 3", async () => {
    const settings = fresh();
    const missing = await viewmill(settings, "pubsub", "init", "--check");
    expect(missing.status).toBe(3);
    expect(outcomes(missing)).toEqual([
      "topic missing",
      "topic missing",
      "subscription missing",
      "subscription missing",
    ]);
    expect(await viewmill(settings, "pubsub", "init", "--check")).toEqual(missing);
    await expect(openSharedLog(parsed(settings), logger)).rejects.toThrow(/viewmill pubsub init/);
    await expect(openSubscription(parsed(settings), logger)).rejects.toThrow(/viewmill pubsub init/);
    const made = await viewmill(settings, "pubsub", "init");
    expect([made.status, ...outcomes(made)]).toEqual([
      0,
      "topic created",
      "topic created",
      "subscription created",
      "subscription created",
    ]);
    const checked = await viewmill(settings, "pubsub", "init", "--check");
    expect([checked.status, ...outcomes(checked)]).toEqual([
      0,
      "topic exists",
      "topic exists",
      "subscription exists",
      "subscription exists",
    ]);
    await (await openSharedLog(parsed(settings), logger)).close();
  });

  it("sets a subscription's times right, and leaves what it cannot: status 3", async () => {
    const settings = fresh();
    const { topic, pubsub: names } = settings.log;
    const connection = { projectId: "viewmill", endpoint: pubsub.host };
    for (const name of [topic, `other-${topic}`]) await ensurePubsubTopic(connection, name);
    const client = await subscriberClient(connection);
    const subscription = (name: string, of: string) => ({
      name: subscriptionName("viewmill", name),
      topic: topicName("viewmill", of),
      ackDeadlineSeconds: 10,
      messageRetentionDuration: { seconds: 3_600 },
    });
    await client.createSubscription(subscription(names.streamSubscription, topic));
    await client.createSubscription(subscription(names.archiveSubscription, `other-${topic}`));
    const check = () => viewmill(settings, "pubsub", "init", "--check");
    const before = await check();
    expect(words(before).filter((text) => text.includes("kept 3600 s"))).toHaveLength(2);
    expect(words(before).join()).toMatch(/acknowledgement deadline is 10 s.*must be of projects\/viewmill\/topics\//);
    expect(await check()).toEqual(before);
    const changed = await viewmill(settings, "pubsub", "init");
    expect(changed.status).toBe(3);
    expect(changed.places[2]).toMatchObject({ outcome: "changed", differences: [] });
    expect(changed.places[3]?.differences).toEqual([expect.stringContaining("delete it, and run init again")]);
    const after = await check();
    expect(after.places[2]).toMatchObject({ outcome: "exists", differences: [] });
    const [found] = await client.getSubscription({
      subscription: subscriptionName("viewmill", names.streamSubscription),
    });
    expect([found.ackDeadlineSeconds, Number(found.messageRetentionDuration?.seconds)]).toEqual([60, 7 * 86_400]);
    await client.close();
  });
});

it("a subscription that loses messages by itself differs", () => {
  const good = { topic: "t", ackDeadlineSeconds: 60, messageRetentionDuration: { seconds: 9 } };
  expect(differencesOf(good, "t", 9)).toEqual([]);
  for (const [field, told] of [
    [{ filter: "attributes.a" }, /filter/],
    [{ detached: true }, /detached/],
    [{ pushConfig: { pushEndpoint: "https://x" } }, /pulled/],
    [{ bigqueryConfig: {} }, /pulled/],
    [{ deadLetterPolicy: { deadLetterTopic: "t" } }, /dead-letter policy/],
    [{ expirationPolicy: { ttl: { seconds: 31 } } }, /expires/],
  ] as const)
    expect(differencesOf({ ...good, ...field }, "t", 9).map((found) => found.words)).toEqual([
      expect.stringMatching(told),
    ]);
});

describeWithServers("viewmill storage init and bigtable init", ["gcs", "bigtable"], () => {
  let gcs: GcsEmulator;
  let tables: BigtableEmulator;
  beforeAll(async () => {
    [gcs, tables] = await Promise.all([startGcsEmulator(), startBigtableEmulator()]);
  }, COLD_START_MS);
  afterAll(() => Promise.all([gcs?.stop(), tables?.stop()]));

  it("makes the bucket; --check makes nothing, and the error of a missing one names the command", async () => {
    const settings = {
      archive: { kind: "gcs" },
      gcs: { bucket: `b-${randomUUID().slice(0, 8)}`, endpoint: gcs.endpoint },
    };
    for (let i = 0; i < 2; i++)
      expect(await viewmill(settings, "storage", "init", "--check")).toMatchObject({
        status: 3,
        places: [{ kind: "bucket", outcome: "missing" }],
      });
    const archive = await openArchive(parsed(settings));
    await expect(archive.list(0, 60)).rejects.toThrow(/viewmill storage init/);
    expect(outcomes(await viewmill(settings, "storage", "init"))).toEqual(["bucket created"]);
    expect(await archive.list(0, 60)).toEqual([]);
    const again = await viewmill(settings, "storage", "init", "--check");
    expect([again.status, ...outcomes(again)]).toEqual([0, "bucket exists"]);
  });

  it("says which tables and families are missing, and makes them", async () => {
    const settings = {
      counters: { kind: "bigtable", endpoint: tables.host, tablePrefix: `t-${randomUUID().slice(0, 8)}` },
    };
    const missing = await viewmill(settings, "bigtable", "init", "--check");
    expect([missing.status, ...outcomes(missing)]).toEqual([3, "table missing", "table missing", "table missing"]);
    expect(await viewmill(settings, "bigtable", "init", "--check")).toEqual(missing);
    const { counters } = await openCounters(parsed(settings), "shared");
    await expect(counters.totals("v")).rejects.toThrow(/viewmill bigtable init/);
    await counters.close();
    await viewmill(settings, "bigtable", "init");
    const there = await viewmill(settings, "bigtable", "init", "--check");
    expect([there.status, ...outcomes(there)]).toEqual([0, "table exists", "table exists", "table exists"]);
  });
});

it("a bucket whose lifecycle deletes the archive before its time differs", () => {
  const kept = { project: "p", location: "", kept: [{ prefix: "archive/", days: 30 }] };
  const rule = (age: number, more: object = {}, type = "Delete") => ({
    lifecycle: { rule: [{ action: { type }, condition: { age, ...more } }] },
  });
  const found = (answer: object) => bucketDifferences(answer, kept).length;
  expect([found({}), found(rule(30)), found(rule(29)), found(rule(1, {}, "SetStorageClass"))]).toEqual([0, 0, 1, 0]);
  expect([found(rule(1, { matchesPrefix: ["claims/"] })), found(rule(1, { matchesPrefix: ["arch"] }))]).toEqual([0, 1]);
  expect([found(rule(1, { matchesPrefix: ["archive/x"] })), found(rule(1, { isLive: false }))]).toEqual([1, 0]);
});

describeWithServers("viewmill kafka init", ["kafka"], () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka();
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());
  const fresh = () => {
    const id = randomUUID().slice(0, 8);
    const groups = { streamGroup: `stream-${id}`, archiveGroup: `archive-${id}` };
    const kafkaSettings = { brokers: kafka.bootstrap, ...groups };
    return { log: { kind: "kafka", topic: `events-${id}`, deadLetterTopic: `letters-${id}`, kafka: kafkaSettings } };
  };

  it("makes topics and groups; --check makes nothing, and says what is missing with status 3", {
    timeout: 120_000,
  }, async () => {
    const settings = fresh();
    const missing = await viewmill(settings, "kafka", "init", "--check");
    expect([missing.status, ...outcomes(missing)]).toEqual([3, "topic missing", "topic missing", "group missing"]);
    expect(await viewmill(settings, "kafka", "init", "--check")).toEqual(missing);
    await expect(openSharedLog(parsed(settings), logger)).rejects.toThrow(/no such topic \(viewmill kafka init/);
    await expect(openSubscription(parsed(settings), logger)).rejects.toThrow(/no such topic \(viewmill kafka init/);
    const made = await viewmill(settings, "kafka", "init", "--partitions", "3");
    expect([made.status, ...outcomes(made)]).toEqual([0, "topic created", "topic created", "group created"]);
    const checked = await viewmill(settings, "kafka", "init", "--check");
    expect([checked.status, ...outcomes(checked)]).toEqual([0, "topic exists", "topic exists", "group exists"]);
    const log = await openSharedLog(parsed(settings), logger);
    await log.append(batchOf("written before the first archiver came"));
    await log.close();
    const reader = await openSubscription(parsed(settings), logger);
    const portion = await nextPortion(reader, {}, 60_000);
    expect(portion.messages.map(textOf)).toEqual(["written before the first archiver came"]);
    await portion.done();
    await reader.close();
    const grown = await viewmill(settings, "kafka", "init", "--check", "--partitions", "4");
    expect([grown.status, ...words(grown)]).toEqual([3, "it has 3 partitions, and 4 are asked for"]);
    expect(outcomes(await viewmill(settings, "kafka", "init", "--partitions", "4"))).toEqual([
      "topic changed",
      "topic exists",
      "group changed",
    ]);
  });

  it("sets a topic's settings right and keeps the others; producers' times only while it is empty", {
    timeout: 120_000,
  }, async () => {
    const settings = fresh();
    const { topic } = settings.log;
    const client = kafkaOf({ brokers: [kafka.bootstrap] });
    const admin = client.admin();
    await admin.connect();
    const configEntries = Object.entries({
      "message.timestamp.type": "CreateTime",
      "retention.ms": "60000",
      "max.message.bytes": "1000000",
      "cleanup.policy": "compact",
      "segment.ms": "1234567",
    }).map(([name, value]) => ({ name, value }));
    await createLedTopic(admin, { topic, numPartitions: 1, replicationFactor: 1, configEntries });
    const before = await viewmill(settings, "kafka", "init", "--check");
    expect(before.places[0]?.outcome).toBe("differs");
    expect(before.places[0]?.differences.map((text) => text.split(" ")[0])).toEqual([
      "cleanup.policy",
      "retention.ms",
      "max.message.bytes",
      "message.timestamp.type",
    ]);
    expect(await viewmill(settings, "kafka", "init", "--check")).toEqual(before);
    const changed = await viewmill(settings, "kafka", "init");
    expect([changed.status, changed.places[0]?.outcome]).toEqual([0, "changed"]);
    expect((await viewmill(settings, "kafka", "init", "--check")).status).toBe(0);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: topic, configNames: ["segment.ms"] }],
    });
    expect(resources[0]?.configEntries[0]?.configValue).toBe("1234567");

    const full = fresh();
    await createLedTopic(admin, { topic: full.log.topic, numPartitions: 1, replicationFactor: 1, configEntries });
    const producer = client.producer();
    await producer.connect();
    await producer.send({ topic: full.log.topic, messages: [{ key: "k", value: "x" }] });
    await producer.disconnect();
    const left = await viewmill(full, "kafka", "init");
    expect(left.status).toBe(3);
    expect(words(left)).toEqual([expect.stringMatching(/message\.timestamp\.type.*has messages already/)]);
    await admin.disconnect();
  });
});

describe("names and locations that cannot be", () => {
  it.each([
    ["gs://b/tmp", /at least three characters/],
    ["gs:///tmp", /at least three characters/],
    ["b/tmp", /it is no gs:\/\/BUCKET\/FOLDER/],
    ["gs://Bucket/tmp", /lower-case letters/],
    ["gs://-bucket/tmp", /begins and ends/],
    ["gs://10.0.0.1/tmp", /IP address/],
    ["gs://a..bc/tmp", /between its dots/],
    [`gs://${"a".repeat(64)}/tmp`, /63 characters/],
    [`gs://${"a".repeat(230)}/tmp`, /at most 222/],
    ["gs://bucket/a b", /folder's name/],
  ])("%s is refused with what is wrong with it", (location, why) => {
    expect(() => gcsFolder(location)).toThrow(why);
    expect(() => gcsFolder(location)).toThrow(location);
  });

  it("a bucket's name is judged alike for jobs and for objects", () => {
    const name = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9._-]{0,70}$/), fc.ipV4());
    fc.assert(
      fc.property(name, (text) => {
        expect(engineProblem(text)).toBe(bucketProblem(text));
      }),
    );
    expect([bucketProblem("viewmill"), bucketProblem("a.b-c_1")]).toEqual([undefined, undefined]);
  });
});
