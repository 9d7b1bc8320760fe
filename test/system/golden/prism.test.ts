// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPipelineProto, replaceEnvironments } from "../../../engine";
import { JobService } from "../../../engine/job-service";
import { workerLog } from "../../../engine/worker-log";
import { WorkerPool } from "../../../engine/worker-pool";
import {
  type BigtableEmulator,
  type Prism,
  type PubsubEmulator,
  startBigtableEmulator,
  startPrism,
  startPubsubEmulator,
} from "../../../servers";
import type { GcsEmulator } from "../../../servers/gcs-emulator";
import { BUCKET, startGcsServer } from "../../io/gcs/gcs-server";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { firingOrder } from "./firing-order";
import { expectOutcome } from "./outcome";
import { doneOnPrism, PrismGoldenRunner } from "./prism-runner";
import type { TestStreamEvent } from "./test-stream";
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

  test(
    "a minute fires when the watermark passes its end, and not at the end of the job",
    async () => {
      const element = (text: string, timestampMs: number) =>
        ({ kind: "element", value: Buffer.from(text), timestampMs }) as const;
      const events: TestStreamEvent[] = [
        element("a of the first minute", 1_000),
        element("b of the first minute", 2_000),
        { kind: "watermark", ms: 60_000 },
        element("c of the second minute", 61_000),
        { kind: "watermark", ms: Number.POSITIVE_INFINITY },
      ];
      const file = join(folder, "order.txt");
      const pool = await WorkerPool.start({
        host: "127.0.0.1",
        port: 0,
        httpPort: 0,
        maxWorkers: 4,
        log: workerLog({}),
      });
      const jobs = new JobService(servers.prism.endpoint);
      try {
        const graph = replaceEnvironments(await buildPipelineProto(firingOrder(events, file)), { pool: pool.address });
        await doneOnPrism(jobs, graph, "firing-order");
      } finally {
        jobs.close();
        await pool.close();
      }
      expect(readFileSync(file, "utf8").trim().split("\n")).toEqual([
        "a of the first minute arrived",
        "b of the first minute arrived",
        "a of the first minute and b of the first minute fired",
        "c of the second minute arrived",
        "c of the second minute fired",
      ]);
    },
    SCRIPT_DEADLINE_MS,
  );
});
