/** What an adapter opens it closes: connections are counted on their way through a proxy. */
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { KafkaEventLog } from "../../io/kafka/event-log";
import { ensureKafkaTopic } from "../../io/kafka/topics";
import { type FaultProxy, type KafkaServer, startFaultProxy, startKafka } from "../../servers";
import { batchOf } from "../contracts/embedded-log-contract";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { through } from "./proxied";

const DEADLINE = { timeout: 30_000, interval: 50 };

describeWithServers("connections to Kafka", ["kafka"], () => {
  let kafka: KafkaServer;
  let proxy: FaultProxy;
  let topic = "";
  beforeAll(async () => {
    kafka = await startKafka();
    proxy = await startFaultProxy(kafka.bootstrap);
  }, COLD_START_MS);
  afterAll(async () => {
    await proxy?.stop();
    await kafka?.stop();
  });
  beforeEach(async () => {
    topic = `connections-${randomUUID()}`;
    await ensureKafkaTopic({ brokers: [kafka.bootstrap] }, { topic, partitions: 2 });
  });
  afterEach(() => proxy.pass());

  const none = () => vi.waitFor(() => expect(proxy.connections).toBe(0), DEADLINE);

  it("are as many after a hundred refreshes of the partitions as after one, and none after close", async () => {
    const log = await KafkaEventLog.open({ ...through(proxy), topic, partitionsRefreshMs: 1 });
    await Promise.all([1, 2, 3].map((n) => log.append(batchOf(`first ${n}`))));
    const settled = proxy.connections;
    for (let n = 0; n < 100; n++) {
      await Promise.all([log.append(batchOf(`a ${n}`)), log.append(batchOf(`b ${n}`)), log.ping()]);
    }
    expect(proxy.connections).toBeLessThanOrEqual(settled);
    await log.close();
    await none();
  }, 60_000);

  it("are as many when the topic has got more partitions, which are then written to as well", async () => {
    const log = await KafkaEventLog.open({ ...through(proxy), topic, partitionsRefreshMs: 1 });
    await log.append(batchOf("before"));
    const settled = proxy.connections;
    const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
      await vi.waitFor(async () => {
        await log.append(batchOf("after"));
        const written = (await admin.fetchTopicOffsets(topic)).filter(({ high }) => Number(high) > 0);
        expect(written.map(({ partition }) => partition)).toEqual(expect.arrayContaining([2, 3]));
      }, DEADLINE);
    } finally {
      await admin.disconnect();
    }
    await vi.waitFor(() => expect(proxy.connections).toBeLessThanOrEqual(settled), DEADLINE);
    await log.close();
    await none();
  }, 90_000);

  it("are none after a close while a producer is being replaced, and a closed log opens no new one", async () => {
    const log = await KafkaEventLog.open({ ...through(proxy), topic, appendTimeoutMs: 5_000, partitionsRefreshMs: 1 });
    await log.append(batchOf("before"));
    proxy.cut();
    await expect(log.append(batchOf("while away"))).rejects.toThrow();
    proxy.pass();
    const pinging = log.ping().catch(() => undefined);
    await log.close();
    await pinging;
    await expect(log.ping()).rejects.toThrow("closed");
    await none();
  }, 60_000);
});
