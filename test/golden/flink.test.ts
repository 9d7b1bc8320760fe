import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterStack } from "../../demo/cluster-stack";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { FlinkGoldenRunner } from "./flink-runner";
import { expectOutcome } from "./outcome";
import { goldenScripts } from "./script";

const SCRIPT_DEADLINE_MS = 300_000;
const SCRIPTS = goldenScripts().map((script) => [script.name, script] as const);

describeWithServers("the golden scripts on Flink", ["flink", "kafka", "pubsub", "bigtable", "gcs"], () => {
  describe.each(["kafka", "pubsub"] as const)("with %s", (kind) => {
    let stack: ClusterStack;
    beforeAll(async () => {
      stack = await ClusterStack.start({ log: kind, processes: false });
    }, COLD_START_MS);
    afterAll(() => stack?.stop(), 60_000);

    const runner = new FlinkGoldenRunner(() => stack, kind);
    // Two at once (vitest.config.mjs): most of a script is waiting, for a job to start and for panes to fire.
    test.concurrent.each(SCRIPTS)(
      "%s",
      async (_name, script) => {
        const folder = mkdtempSync(join(tmpdir(), "viewmill-golden-flink-"));
        try {
          expectOutcome(script, await runner.run(script, folder));
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
      SCRIPT_DEADLINE_MS,
    );
  });
});
