// SPDX-License-Identifier: Apache-2.0
/** One machine's log and stream over a cluster's stores: any mix of adapters is one service. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { configSchema } from "../../../cli/config/schema";
import { openDeployment } from "../../../cli/deployment/deployment";
import { createBucket } from "../../../demo/create-bucket";
import { instance, thisBuild } from "../../../demo/viewmill-process";
import {
  type BigtableEmulator,
  freePort,
  type GcsEmulator,
  startBigtableEmulator,
  startGcsEmulator,
} from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";

const DEADLINE_MS = 60_000;
const CLI = join(__dirname, "..", "..", "..", "cli", "main.js");

describeWithServers("the embedded stream over Bigtable and Cloud Storage", ["bigtable", "gcs"], () => {
  let bigtable: BigtableEmulator;
  let gcs: GcsEmulator;
  let folder = "";
  beforeAll(async () => {
    [bigtable, gcs] = await Promise.all([startBigtableEmulator(), startGcsEmulator()]);
    folder = mkdtempSync(join(tmpdir(), "viewmill-mixed-"));
  }, COLD_START_MS);
  afterAll(async () => {
    await Promise.all([bigtable?.stop(), gcs?.stop()]);
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  });

  it(
    "counts, keeps its books, makes dead letters, survives kill -9 and passes its audit",
    async () => {
      const config = configSchema.parse({
        data: join(folder, "data"),
        logLevel: "warn",
        archive: { kind: "gcs" },
        gcs: { bucket: "mixed", endpoint: gcs.endpoint },
        counters: { kind: "bigtable", endpoint: bigtable.host },
        deadLetters: { kind: "gcs" },
        claims: { kind: "gcs" },
      });
      const configFile = join(folder, "viewmill.json");
      writeFileSync(configFile, JSON.stringify(config));
      const viewmill = (...args: string[]) =>
        promisify(execFile)(process.execPath, [CLI, ...args, "--config", configFile]);
      await createBucket(gcs.endpoint, config.project, "mixed");
      const tables = JSON.parse((await viewmill("bigtable", "init", "--json")).stdout) as { outcome: string }[];
      expect(tables.map(({ outcome }) => outcome)).toEqual(["created", "created", "created"]);
      expect((await viewmill("bigtable", "init")).stdout).toMatch(/^exists/m);
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const serve = instance("serve", folder, thisBuild(configFile), ["serve", "--port", String(port)], url);
      await serve.start();
      try {
        const eventTime = Date.now();
        const send = (ids: string[]) =>
          fetch(`${url}/v1/events`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify([
              ...ids.map((eventId) => ({ eventId, videoId: "v", eventType: "VIEW", eventTime, value: 3 })),
              { eventId: "bad", videoId: "v", eventType: "view", eventTime },
            ]),
          });
        const counted = async (count: number) => {
          const video = (await (await fetch(`${url}/v1/videos/v`)).json()) as { totals: { VIEW?: { count: number } } };
          return video.totals.VIEW?.count === count;
        };
        expect((await send(["a", "b", "b"])).status).toBe(202);
        await until("two events are counted", () => counted(2), DEADLINE_MS);
        expect((await send(["c"])).status).toBe(202);
        await serve.kill();
        await serve.restart();
        await until("the event after the kill is counted", () => counted(3), DEADLINE_MS);
        const totals = async () =>
          ((await (await fetch(`${url}/v1/ledger`)).json()) as { totals: { archived: number } }).totals;
        // The cells are in Bigtable before the pass that wrote them ends and lists its objects.
        await until("all objects are listed", async () => (await totals()).archived === 4, DEADLINE_MS);
        expect(await totals()).toMatchObject({
          accepted: 4,
          archived: 4,
          counted: 3,
          duplicate: 1,
          rejected: 2,
          balanced: true,
        });
        expect(JSON.parse((await viewmill("audit", "--json")).stdout)).toMatchObject({ outcome: "equal", events: 4 });
        expect((await viewmill("dead-letters", "list", "--json")).stdout.trim().split("\n")).toHaveLength(2);
        const deployment = await openDeployment(config);
        expect((await deployment.counters.totals("v")).get("VIEW")).toMatchObject({ count: 3, sum: 9n });
        await deployment.close();
      } finally {
        await serve.kill("SIGTERM");
      }
    },
    DEADLINE_MS * 3,
  );
});
