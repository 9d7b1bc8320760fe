/** Kafka as the test servers run it: large messages, and nothing lost by kill -9. */
import { Kafka, logLevel } from "kafkajs";
import { createLedTopic } from "../../io/kafka/topics";
import { startKafka } from "../../servers";
import { isAlive } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

describeWithServers("Kafka", ["kafka"], () => {
  test(
    "keeps a message of 20 MB over kill -9, and is gone after stop",
    async () => {
      const server = await startKafka();
      const pid = server.pid!;
      const client = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
      try {
        const producer = client.producer();
        const admin = client.admin();
        await Promise.all([producer.connect(), admin.connect()]);
        await createLedTopic(admin, { topic: "large", numPartitions: 1 });
        await producer.send({ topic: "large", messages: [{ value: Buffer.alloc(20_000_000, "v") }] });
        await server.kill();
        await server.restart();
        expect(server.pid).not.toBe(pid);
        expect(await admin.fetchTopicOffsets("large")).toMatchObject([{ partition: 0, high: "1" }]);
        await Promise.all([producer.disconnect(), admin.disconnect()]);
      } finally {
        await server.stop();
      }
      expect([isAlive(pid), server.pids]).toEqual([false, []]);
    },
    COLD_START_MS,
  );
});
