// SPDX-License-Identifier: Apache-2.0
/** The examples of docs/direct-producers.md, as they stand there. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PubsubLogSubscription } from "../../../io/pubsub/log-subscription";
import { ensurePubsubSubscription, ensurePubsubTopic } from "../../../io/pubsub/topics";
import { type PubsubEmulator, startPubsubEmulator } from "../../../servers";
import { readMessage } from "../../../transforms/read-message";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";

const ROOT = join(__dirname, "..", "..", "..", "..");
const text = readFileSync(join(ROOT, "docs", "direct-producers.md"), "utf8");
const example = (language: string): string => {
  const [, code] = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
  if (code === undefined) throw new Error(`no ${language} example`);
  return code;
};

test("the bodies in the shell examples are events", () => {
  const bodies = [...text.matchAll(/'(\{"eventId".*?\})'/g)].map(([, body]) => Buffer.from(body!));
  expect(bodies).toHaveLength(2);
  for (const body of bodies) {
    const { columns, dead } = readMessage(body, Date.parse("2026-11-21T10:00:01Z"));
    expect([columns.count, dead]).toEqual([1, []]);
  }
});

describeWithServers("the Node example", ["pubsub"], () => {
  let pubsub: PubsubEmulator;
  beforeAll(async () => {
    pubsub = await startPubsubEmulator();
  }, COLD_START_MS);
  afterAll(() => pubsub?.stop());

  it("publishes three events", async () => {
    const connection = { projectId: "my-project", endpoint: pubsub.host };
    const topic = "viewmill-events";
    await ensurePubsubTopic(connection, topic);
    await ensurePubsubSubscription(connection, { topic, subscription: "archive", ackDeadlineSeconds: 10 });
    const folder = mkdtempSync(join(tmpdir(), "viewmill-example-"));
    const subscription = await PubsubLogSubscription.open({ ...connection, subscription: "archive" });
    try {
      const file = join(folder, "producer.cjs");
      writeFileSync(file, example("js"));
      const env = { ...process.env, PUBSUB_EMULATOR_HOST: pubsub.host, NODE_PATH: join(ROOT, "node_modules") };
      await promisify(execFile)(process.execPath, [file], { env, timeout: 30_000 });
      let events = 0;
      await until(
        "the example's events are in the log",
        async () => {
          const portion = await subscription.take({ maxMessages: 10, maxBytes: 1 << 20, waitMs: 100 });
          for (const { payload, appendedAtMs } of portion?.messages ?? []) {
            const { columns, dead } = readMessage(payload, appendedAtMs);
            expect(dead).toEqual([]);
            events += columns.count;
          }
          await portion?.done();
          return events === 3;
        },
        30_000,
      );
    } finally {
      await subscription.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 90_000);
});
