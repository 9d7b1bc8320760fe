// SPDX-License-Identifier: Apache-2.0
/**
 * The worker's image under a real runner: what the service's image counted is recounted on Flink by workers that the
 * TaskManagers start from the image.
 */
import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../../cli/config/schema";
import { openDeployment } from "../../../cli/deployment/deployment";
import { openFindings } from "../../../cli/deployment/open-findings";
import { buildPipelineProto, FlinkRunner, replaceEnvironments } from "../../../engine";
import { bootVariable } from "../../../engine/boot";
import { runAudit } from "../../../pipelines/audit/audit";
import { ClusterAuditRunner } from "../../../pipelines/audit/cluster-audit";
import { type FlinkCluster, freePort, type JobServer, startFlinkCluster, startJobServer } from "../../../servers";
import { until } from "../../servers/processes";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { openFolder, removeFolder } from "./base-images";
import { Container, type ContainerOptions, containerScript, giveTo, isolates, pathInside } from "./container";
import { buildProjectImages, type ProjectImages } from "./project-images";

const DEADLINE_MS = 180_000;
const MINUTE_MS = 60_000;
/** Events of ten minutes, every fifth sent twice. */
const EVENTS = 200;

describeWithServers("the worker's image on Flink", ["flink", "job-server"], () => {
  let images: ProjectImages;
  let cluster: FlinkCluster;
  let jobServer: JobServer;
  let folder = "";
  let data = "";

  beforeAll(async () => {
    images = await buildProjectImages();
    folder = openFolder("images-flink");
    data = join(folder, "data");
    mkdirSync(data);
    giveTo(images.service, data);
    cluster = await startFlinkCluster({ taskManagers: 1, highAvailability: false });
    jobServer = await startJobServer({ flinkMaster: cluster.master, configFolder: cluster.jobConfigFolder });
  }, COLD_START_MS);
  afterAll(async () => {
    await jobServer?.stop();
    await cluster?.stop();
    images?.remove();
    removeFolder(folder);
  }, 60_000);

  async function countInService(mounts: ContainerOptions["mounts"]): Promise<void> {
    const port = await freePort();
    const settings = { VIEWMILL_HTTP_PORT: String(port), VIEWMILL_AUDIT_ENABLED: "false" };
    const environment = { ...settings, VIEWMILL_HTTP_INSECURE: "true" };
    const container = new Container(images.service, ["serve"], { environment, mounts: mounts ?? {} });
    try {
      await until("the service", () => container.stdout.includes("listening"), DEADLINE_MS);
      const first = Math.floor(Date.now() / MINUTE_MS - 10) * MINUTE_MS;
      const events = Array.from({ length: EVENTS }, (_, i) => ({
        eventId: `e-${i}`,
        videoId: `v-${i % 7}`,
        eventType: i % 3 === 0 ? "LIKE" : "VIEW",
        eventTime: first + (i % 10) * MINUTE_MS,
      }));
      const body = JSON.stringify([...events, ...events.filter((_, i) => i % 5 === 0)]);
      const headers = { "content-type": "application/json" };
      const url = `http://127.0.0.1:${port}`;
      expect((await fetch(`${url}/v1/events`, { method: "POST", headers, body })).status).toBe(202);
      const balanced = async () => {
        const ledger = await (await fetch(`${url}/v1/ledger`)).json();
        const { minutes } = ledger as { minutes: { counted: number; balanced: boolean }[] };
        const counted = minutes.reduce((sum, minute) => sum + minute.counted, 0);
        return counted === EVENTS && minutes.every((minute) => minute.balanced);
      };
      await until("the books", balanced, DEADLINE_MS);
      container.kill("SIGTERM");
      expect((await container.ended).code).toBe(0);
    } finally {
      container.kill("SIGKILL");
    }
  }

  test(
    "recounts to the same numbers",
    async () => {
      const mounts = { "/data": data };
      await countInService(mounts);
      const config = configSchema.parse({ data });
      const findings = join(data, "audit-findings");
      mkdirSync(findings);
      giveTo(images.worker, findings);
      const workerSettings = JSON.stringify({ ...config, data: pathInside("/data", mounts) });
      const boot = JSON.stringify({ workerModule: "/app/dist/cli/programs/worker-resources.js", workerSettings });
      const program = join(folder, "worker");
      const inTree = isolates ? boot : boot.replace("/app/", `${images.worker.root}/app/`);
      containerScript(program, images.worker, { environment: { [bootVariable]: inTree }, mounts });
      chmodSync(folder, 0o755);

      const deployment = await openDeployment(config);
      const runner = new ClusterAuditRunner("flink", "image", await openFindings(config), async (build) => {
        const proto = replaceEnvironments(await buildPipelineProto(build), { command: program });
        const flink = new FlinkRunner({ jobServer: jobServer.endpoint, restUrl: cluster.restUrl });
        const job = await flink.submit(proto, { jobName: "image", streaming: false, parallelism: 2 });
        await job.waitUntilFinished(DEADLINE_MS).finally(() => flink.close());
      });
      const report = await runAudit(
        { ...deployment, runner, clock: Date.now },
        { fromMs: undefined, toMs: undefined, repair: false, allowedLatenessMs: -1 },
      );
      await deployment.close();
      expect(report).toMatchObject({ outcome: "equal", events: EVENTS + EVENTS / 5, cellsDiffering: 0 });
      expect(report.cellsCompared).toBeGreaterThan(100);
      // Written by the image's user: these workers it was.
      const written = readdirSync(findings, { recursive: true, encoding: "utf8" }).map((name) => join(findings, name));
      const owners = new Set(written.map((file) => statSync(file).uid));
      expect([...owners]).toEqual([isolates ? 65_532 : process.getuid?.()]);
    },
    COLD_START_MS,
  );
});
