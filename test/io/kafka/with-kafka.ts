// SPDX-License-Identifier: Apache-2.0
/** The broker of a suite and, for each test, a topic of its own. */
import { randomUUID } from "node:crypto";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { ensureKafkaTopic } from "../../../io/kafka/topics";
import { type FaultProxy, type KafkaServer, startFaultProxy, startKafka } from "../../../servers";
import { COLD_START_MS } from "../../servers/with-servers";

interface KafkaUnderTest {
  readonly server: KafkaServer;
  readonly bootstrap: string;
  /** The proxy before the broker, which passes everything on at the start of each test. */
  readonly proxy: FaultProxy;
  /** The topic of the test that runs. */
  readonly topic: string;
  client(): Kafka;
  /** Acts with an admin client that connects before and disconnects after. */
  admin<T>(act: (admin: Admin) => Promise<T>): Promise<T>;
  /** Closes this when the test ends, in the order of the calls. */
  closeAfter(close: () => Promise<unknown>): void;
}

/** Registers hooks within a suite: a broker for the suite, and a topic with `partitions` for each test. */
export function withKafka({ partitions }: { partitions: number }): KafkaUnderTest {
  let server: KafkaServer | undefined;
  let proxy: FaultProxy | undefined;
  let topic = "";
  const closing: (() => Promise<unknown>)[] = [];
  const running = (): KafkaServer => {
    if (server === undefined) throw new Error("the broker has not been started");
    return server;
  };
  const client = () => new Kafka({ brokers: [running().bootstrap], logLevel: logLevel.NOTHING });
  beforeAll(async () => {
    server = await startKafka();
    proxy = await startFaultProxy(server.bootstrap);
  }, COLD_START_MS);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    topic = `test-${randomUUID()}`;
    await ensureKafkaTopic({ brokers: [running().bootstrap] }, { topic, partitions });
  });
  afterEach(async () => {
    proxy?.pass();
    for (const close of closing.splice(0)) await close();
  }, 60_000);
  return {
    get server() {
      return running();
    },
    get bootstrap() {
      return running().bootstrap;
    },
    get proxy() {
      if (proxy === undefined) throw new Error("the proxy has not been started");
      return proxy;
    },
    get topic() {
      return topic;
    },
    client,
    admin: async (act) => {
      const admin = client().admin();
      await admin.connect();
      try {
        return await act(admin);
      } finally {
        await admin.disconnect();
      }
    },
    closeAfter: (close) => closing.push(close),
  };
}
