// SPDX-License-Identifier: Apache-2.0
/** The small servers: start, answer a real client, go away without a trace. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Bigtable } from "@google-cloud/bigtable";
import { PubSub } from "@google-cloud/pubsub";
import { Storage } from "@google-cloud/storage";
import { startBigtableEmulator, startGcsEmulator, startPubsubEmulator } from "../../servers";
import { isAlive } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

beforeEach(() => {
  vi.stubEnv("METADATA_SERVER_DETECTION", "none");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describeWithServers("the Bigtable emulator", ["bigtable"], () => {
  test(
    "keeps a row, is killed, comes back on its port, and is gone after stop",
    async () => {
      const server = await startBigtableEmulator();
      const [pid] = server.pids;
      vi.stubEnv("BIGTABLE_EMULATOR_HOST", server.host);
      const client = new Bigtable({ projectId: "test", metricsEnabled: false });
      try {
        const table = client.instance("one").table("rows");
        await table.create({ families: ["f"] });
        await table.insert({ key: "k", data: { f: { q: "value" } } });
        const [rows] = await table.getRows({});
        expect(rows.map((row) => row.id)).toEqual(["k"]);
        await server.kill();
        expect(server.pid).toBeUndefined();
        await server.restart();
        await client
          .instance("one")
          .table("rows")
          .create({ families: ["f"] });
      } finally {
        await client.close();
        await server.stop();
      }
      expect(server.pids).toEqual([]);
      expect(isAlive(pid!)).toBe(false);
    },
    COLD_START_MS,
  );

  test(
    "two of them know nothing of each other",
    async () => {
      const [one, other] = await Promise.all([startBigtableEmulator(), startBigtableEmulator()]);
      expect(one.host).not.toBe(other.host);
      await one.stop();
      expect(isAlive(other.pid!)).toBe(true);
      await other.stop();
    },
    COLD_START_MS,
  );
});

describeWithServers("the Pub/Sub emulator", ["pubsub"], () => {
  test(
    "takes a message of 9 MB over gRPC and gives it back over REST, gzipped request and all",
    async () => {
      const server = await startPubsubEmulator();
      vi.stubEnv("PUBSUB_EMULATOR_HOST", server.host);
      const client = new PubSub({ projectId: "test" });
      try {
        const [topic] = await client.createTopic("events");
        await topic.createSubscription("reader", { ackDeadlineSeconds: 60 });
        await topic.publishMessage({ data: Buffer.alloc(9_000_000, "v") });
        const { gzipSync } = await import("node:zlib");
        const response = await fetch(`${server.restUrl}/v1/projects/test/subscriptions/reader:pull`, {
          method: "POST",
          headers: { "content-type": "application/json", "content-encoding": "gzip" },
          body: gzipSync('{"maxMessages": 1}'),
        });
        const { receivedMessages } = (await response.json()) as { receivedMessages: { message: { data: string } }[] };
        expect(Buffer.from(receivedMessages[0]!.message.data, "base64").length).toBe(9_000_000);
      } finally {
        await client.close();
        await server.stop();
      }
    },
    COLD_START_MS,
  );
});

describeWithServers("the Cloud Storage emulator", ["gcs"], () => {
  test(
    "an object on the file system outlives kill -9, and nothing outlives stop",
    async () => {
      const server = await startGcsEmulator({ backend: "filesystem" });
      const bucket = new Storage({ projectId: "test", apiEndpoint: server.endpoint }).bucket("archive");
      await bucket.create();
      await bucket.file("a/b").save("content");
      await server.kill();
      await server.restart();
      expect((await bucket.file("a/b").download())[0].toString()).toBe("content");
      const folder = server.folder;
      expect(existsSync(join(folder, "objects"))).toBe(true);
      await server.stop();
      expect(existsSync(folder)).toBe(false);
    },
    COLD_START_MS,
  );
});
