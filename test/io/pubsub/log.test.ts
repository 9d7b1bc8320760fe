// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { PubsubEventLog } from "../../../io/pubsub/event-log";
import { PubsubLogSubscription } from "../../../io/pubsub/log-subscription";
import { ensurePubsubSubscription, ensurePubsubTopic } from "../../../io/pubsub/topics";
import { type PubsubEmulator, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { sharedLogContract } from "../ports/shared-log-contract";

describeWithServers("a Pub/Sub topic", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
  }, COLD_START_MS);
  afterAll(() => pubsub?.stop());

  sharedLogContract("Pub/Sub", {
    exact: false,
    shared: true,
    declares: true,
    takeOverMs: 25_000,
    open: async () => {
      const connection = { projectId: "viewmill-test", endpoint: pubsub.host };
      const topic = `log-${randomUUID()}`;
      const subscription = `archive-${randomUUID()}`;
      await ensurePubsubTopic(connection, topic);
      await ensurePubsubSubscription(connection, { topic, subscription, ackDeadlineSeconds: 10 });
      const reading = { ...connection, subscription, leaseSeconds: 10 };
      return {
        writer: (options) => PubsubEventLog.open({ ...connection, topic, ...options }),
        reader: () => PubsubLogSubscription.open(reading),
        readerArguments: ["pubsub", JSON.stringify(reading)],
        close: async () => undefined,
      };
    },
  });
});
