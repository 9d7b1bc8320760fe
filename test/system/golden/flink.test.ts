// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../../cli/config/schema";
import { ClusterStack } from "../../../demo/cluster-stack";
import { type PubsubEmulator, startPubsubEmulator } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { FlinkGoldenRunner } from "./flink-runner";
import { expectOutcome } from "./outcome";
import { scriptsTogether, tieredLongAgo } from "./together";

const SCRIPT_DEADLINE_MS = 300_000;
const KINDS = ["kafka", "pubsub"] as const;
const RUNS = [
  ...KINDS.flatMap((kind) => scriptsTogether("of all").map((script) => [script.name, kind, script] as const)),
  // Days leave for roll-ups while the job counts. Roll-ups and late events are the same over either log.
  ...tieredLongAgo().map((script) => [script.name, "kafka", script] as const),
];
/** A slot for each job. */
const FLINK = { taskManagers: 1, slotsPerTaskManager: RUNS.length, highAvailability: false };

describeWithServers("the golden scripts on Flink", ["flink", "kafka", "pubsub", "bigtable", "gcs"], () => {
  let stack: ClusterStack;
  let pubsub: PubsubEmulator;
  beforeAll(async () => {
    [stack, pubsub] = await Promise.all([
      // Kafka as it is in production, so that service, archiver, job server and TaskManagers all have to say who they
      // are.
      ClusterStack.start({ log: "kafka", secure: true, processes: false, flink: FLINK }),
      startPubsubEmulator(),
    ]);
  }, COLD_START_MS);
  afterAll(() => Promise.all([stack?.stop(), pubsub?.stop()]), 60_000);

  function config(): Config {
    const { log } = stack.config;
    const endpoints = { endpoint: pubsub.host, restEndpoint: pubsub.restUrl };
    return { ...stack.config, log: { ...log, pubsub: { ...log.pubsub, ...endpoints } } };
  }

  const runners = {
    kafka: new FlinkGoldenRunner(config, "kafka"),
    pubsub: new FlinkGoldenRunner(config, "pubsub"),
  };
  // Several at once (vitest.config.mjs), as many as the cluster has slots: most of it is waiting, for a job to start
  // and for panes to fire.
  test.concurrent.each(RUNS)(
    "%s, with %s",
    async (_name, kind, script) => {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-golden-flink-"));
      try {
        expectOutcome(script, await runners[kind].run(script, folder));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    SCRIPT_DEADLINE_MS,
  );
});
