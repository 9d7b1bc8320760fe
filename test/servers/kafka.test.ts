// SPDX-License-Identifier: Apache-2.0
/** Kafka as the test servers run it: large messages, and nothing lost by kill -9. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { createLedTopic } from "../../io/kafka/topics";
import { ProcessClock, startKafka } from "../../servers";
import { isAlive } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

const HOUR_MS = 3_600_000;

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

  test(
    "goes by a clock of its own, and follows it when it is moved on",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-clock-"));
      const clock = new ProcessClock(join(folder, "clock"));
      const server = await startKafka({ clock });
      const client = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
      try {
        const producer = client.producer();
        const admin = client.admin();
        await Promise.all([producer.connect(), admin.connect()]);
        const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
        await createLedTopic(admin, { topic: "times", numPartitions: 1, configEntries });
        const aheadMs = async () => {
          const [sent] = await producer.send({ topic: "times", messages: [{ value: "v" }] });
          return Number(sent!.logAppendTime) - Date.now();
        };
        expect(Math.abs(await aheadMs())).toBeLessThan(HOUR_MS / 2);
        clock.advance(4 * HOUR_MS);
        await vi.waitFor(async () => expect(Math.abs((await aheadMs()) - 4 * HOUR_MS)).toBeLessThan(HOUR_MS / 2), {
          interval: 50,
          timeout: 30_000,
        });
        await Promise.all([producer.disconnect(), admin.disconnect()]);
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    COLD_START_MS,
  );
});
