// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { KafkaEventLog } from "../../../io/kafka/event-log";
import { KafkaLogSubscription } from "../../../io/kafka/log-subscription";
import { ensureKafkaTopic } from "../../../io/kafka/topics";
import { type KafkaServer, startKafka } from "../../../servers/kafka";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { sharedLogContract } from "../ports/shared-log-contract";

describeWithServers("a Kafka topic", ["kafka"], () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka();
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());

  sharedLogContract("Kafka", {
    exact: true,
    shared: true,
    declares: true,
    takeOverMs: 20_000,
    open: async () => {
      const connection = { brokers: [kafka.bootstrap] };
      const topic = `log-${randomUUID()}`;
      await ensureKafkaTopic(connection, { topic, partitions: 3 });
      const reading = { ...connection, topic, groupId: `group-${topic}`, sessionTimeoutMs: 6_000 };
      return {
        writer: (options) => KafkaEventLog.open({ ...connection, topic, ...options }),
        reader: () => KafkaLogSubscription.open(reading),
        readerArguments: ["kafka", JSON.stringify(reading)],
        close: async () => undefined,
      };
    },
  });
});
