// SPDX-License-Identifier: Apache-2.0
/** Brokers that take only clients over TLS that say who they are, and let them do what access control lists allow. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from "kafkajs";
import pino from "pino";
import { type Config, configSchema } from "../../../cli/config/schema";
import { createPlaces } from "../../../cli/deployment/create-places";
import { kafkaConnection } from "../../../cli/deployment/kafka-connection";
import { kafkaConsumerProperties } from "../../../cli/deployment/kafka-consumer-properties";
import { openSharedLog, openSubscription } from "../../../cli/deployment/open-log";
import { type LogPortion, type LogSubscription, StoreUnavailableError } from "../../../io/ports";
import { type KafkaServer, startKafka } from "../../../servers";
import { batchOf } from "../../io/ports/embedded-log-contract";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";

type KafkaSettings = Partial<Config["log"]["kafka"]>;
const logger = pino({ level: "silent" });
const configOf = (kafka: KafkaSettings, topic = "events") =>
  configSchema.parse({ log: { kind: "kafka", topic, kafka } });

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-access-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The next portion, which is done with. */
async function taken(subscription: LogSubscription): Promise<LogPortion> {
  for (;;) {
    const portion = await subscription.take({ maxMessages: 10, maxBytes: 1 << 20, waitMs: 1_000 });
    if (portion === undefined) continue;
    await portion.done();
    return portion;
  }
}

function fileOf(content: string): string {
  const file = join(folder, randomUUID());
  writeFileSync(file, content);
  return file;
}

describeWithServers("Kafka over TLS, for clients that say who they are", ["kafka"], () => {
  let kafka: KafkaServer;
  let settings: KafkaSettings & { caFile: string; passwordFile: string };
  beforeAll(async () => {
    kafka = await startKafka({ secure: true });
    const { caFile, passwordFiles } = kafka.access!;
    const user = { sasl: "scram-sha-512", username: "viewmill", passwordFile: passwordFiles.viewmill } as const;
    settings = { brokers: kafka.bootstrap, ssl: true, caFile, ...user };
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());

  /** Writes a batch and reads it as the archiver does. */
  async function passed(config: Config): Promise<string> {
    const log = await openSharedLog(config, logger);
    const subscription = await openSubscription(config, logger);
    try {
      await log.append(batchOf("through"));
      const { messages } = await taken(subscription);
      return messages.map(({ payload }) => Buffer.from(payload).toString()).join();
    } finally {
      await Promise.all([log.close(), subscription.close()]);
    }
  }

  it.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("a batch passes with %s", async (sasl) => {
    const config = configOf({ ...settings, sasl }, `events-${sasl}`);
    await createPlaces(config, { partitions: 1 });
    expect(await passed(config)).toContain("through");
  });

  it.each<[string, () => KafkaSettings, RegExp]>([
    ["another password", () => ({ ...settings, passwordFile: fileOf("another") }), /Authentication failed/i],
    ["no name", () => ({ brokers: kafka.bootstrap, ssl: true, caFile: settings.caFile }), /Kafka/],
    ["no TLS", () => ({ ...settings, ssl: false, caFile: "" }), /Kafka/],
    ["an authority that nobody knows", () => ({ ...settings, caFile: "" }), /self.signed certificate/],
  ])("whoever comes with %s is told so", async (_what, other, why) => {
    const opened = openSharedLog(configOf(other()), logger);
    await expect(opened).rejects.toThrow(StoreUnavailableError);
    await expect(opened).rejects.toThrow(why);
  });

  it("a reader that may read the topic, and not its configuration, reads", async () => {
    const topic = `read-only-${randomUUID()}`;
    const config = configOf(settings, topic);
    await createPlaces(config, { partitions: 1 });
    const log = await openSharedLog(config, logger);
    await log.append(batchOf("for readers"));
    await log.close();
    const group = config.log.kafka.archiveGroup;
    await asAdmin(async (admin) => {
      const allowed = { principal: "User:reader", host: "*", permissionType: AclPermissionTypes.ALLOW };
      const read = { ...allowed, operation: AclOperationTypes.READ, resourcePatternType: ResourcePatternTypes.LITERAL };
      await admin.createAcls({
        acl: [
          { ...read, resourceType: AclResourceTypes.TOPIC, resourceName: topic },
          { ...read, resourceType: AclResourceTypes.GROUP, resourceName: group },
        ],
      });
    });
    const reader = { username: "reader", passwordFile: kafka.access!.passwordFiles.reader };
    const subscription = await openSubscription(configOf({ ...settings, ...reader }, topic), logger);
    try {
      expect((await taken(subscription)).messages).toHaveLength(1);
    } finally {
      await subscription.close();
    }
  });

  async function asAdmin(act: (admin: Admin) => Promise<void>): Promise<void> {
    const { brokers, ssl, sasl } = kafkaConnection(configOf(settings));
    const access = { ssl: ssl!, sasl: { ...sasl!, mechanism: "plain" as const } };
    const admin = new Kafka({ brokers: [...brokers], ...access, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await act(admin);
    } finally {
      await admin.disconnect();
    }
  }
});

describe("settings of who a client is", () => {
  const user = { sasl: "plain", username: "me", passwordFile: "/run/secrets/kafka" } as const;

  it.each<[string, object, string]>([
    ["an authority without TLS", { caFile: "/ca.pem" }, "log.kafka.ssl"],
    ["no username", { ...user, username: "" }, "is wanted with log.kafka.sasl"],
    ["no password", { ...user, passwordFile: "" }, "is wanted with log.kafka.sasl"],
    ["a password file whose place depends", { ...user, passwordFile: "kafka" }, "an absolute path"],
    ["a password file that Java cannot name", { ...user, passwordFile: "/a:b" }, "without : { }"],
    ["a name and no way to say it", { ...user, sasl: "" }, "is wanted where there is a username"],
    ["a way that is not known", { ...user, sasl: "gssapi" }, "Invalid option"],
  ])("are refused: %s", (_what, kafka, why) => {
    expect(() => configSchema.parse({ log: { kafka } })).toThrow(why);
  });

  it.each<[string, string, string]>([
    ["a line break", "secret\n", 'holds "\\n"'],
    ["a quotation mark", 'sec"ret', 'holds "\\""'],
    ["nothing", "", "is empty"],
  ])("a password file with %s is refused", (_what, content, why) => {
    const config = configOf({ ...user, passwordFile: fileOf(content) });
    expect(() => kafkaConnection(config)).toThrow(why);
  });

  it("files that are not there are named", () => {
    expect(() => kafkaConnection(configOf({ ...user, passwordFile: "/no/such/file" }))).toThrow(
      /log.kafka.passwordFile: .*\/no\/such\/file/,
    );
    expect(() => kafkaConsumerProperties(configOf({ ssl: true, caFile: "/no/ca.pem" }))).toThrow(/log.kafka.caFile: /);
  });

  it("the password itself is not in what is submitted", () => {
    const [caFile, passwordFile] = [fileOf("-----BEGIN CERTIFICATE-----"), fileOf("very secret")];
    const given = { ...user, ssl: true, caFile, passwordFile, username: 'say "hi"' };
    const properties = kafkaConsumerProperties(configOf(given));
    expect(JSON.stringify(properties)).not.toContain("very secret");
    expect(properties).toMatchObject({
      "security.protocol": "SASL_SSL",
      "sasl.mechanism": "PLAIN",
      "ssl.truststore.certificates": "-----BEGIN CERTIFICATE-----",
      "sasl.jaas.config": expect.stringContaining('username="say \\"hi\\"" password="${directory:'),
    });
    expect(kafkaConsumerProperties(configOf({ ssl: true }))).toEqual({ "security.protocol": "SSL" });
    expect(kafkaConsumerProperties(configOf({}))).toEqual({});
  });
});
