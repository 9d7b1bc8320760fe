// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BigtableEmulator,
  type Prism,
  type PubsubEmulator,
  startBigtableEmulator,
  startPrism,
  startPubsubEmulator,
} from "../../servers";
import type { GcsEmulator } from "../../servers/gcs-emulator";
import { BUCKET, startGcsServer } from "../io/gcs/gcs-server";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { expectOutcome } from "./outcome";
import { PrismGoldenRunner } from "./prism-runner";
import { scriptsTogether } from "./together";

const SCRIPT_DEADLINE_MS = 120_000;
const SCRIPTS = scriptsTogether("of each").map((script) => [script.name, script] as const);

describeWithServers("the golden scripts on Prism", ["prism", "pubsub", "bigtable", "gcs"], () => {
  let servers: { prism: Prism; pubsub: PubsubEmulator; bigtable: BigtableEmulator; gcs: GcsEmulator };
  let folder = "";
  beforeAll(async () => {
    const [pubsub, bigtable, gcs] = [
      await startPubsubEmulator(),
      await startBigtableEmulator(),
      await startGcsServer(),
    ];
    servers = { prism: await startPrism(), pubsub, bigtable, gcs };
  }, COLD_START_MS);
  afterAll(async () => {
    for (const server of Object.values(servers ?? {})) await server.stop();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-golden-prism-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const runner = new PrismGoldenRunner(() => ({
    prism: servers.prism.endpoint,
    pubsub: servers.pubsub,
    bigtable: servers.bigtable.host,
    gcs: { endpoint: servers.gcs.endpoint, bucket: BUCKET },
  }));

  test.each(SCRIPTS)(
    "%s",
    async (_name, script) => expectOutcome(script, await runner.run(script, folder)),
    SCRIPT_DEADLINE_MS,
  );

  test("minutes also fired before the end", () => expect(runner.watermarks).toBeGreaterThan(0));
});
