import { randomUUID } from "node:crypto";
import type { AuditRunner } from "../../pipelines/audit/audit-graph";
import { ClusterAuditRunner } from "../../pipelines/audit/cluster-audit";
import type { Config } from "../config-schema";
import { openFindings } from "../deployment/open-findings";
import { checkDataflow, checkStores } from "./dataflow-flags";
import { openRunner } from "./open-runner";
import { checkProject } from "./preflight";
import { preparedBatch } from "./prepared-jobs";

const FINISHED_DEADLINE_MS = 6 * 3_600_000;

/** The audit's graph as a batch job on Dataflow. Rejects with ConfigError, PreflightError (nothing was created). */
export async function dataflowAuditRunner(config: Config): Promise<AuditRunner> {
  checkDataflow(config);
  checkStores(config);
  const runner = openRunner(config);
  const auditId = randomUUID();
  const jobName = `viewmill-audit-${auditId}`;
  await checkProject(runner, config, { jobName, replaces: false });
  return new ClusterAuditRunner("dataflow", auditId, await openFindings(config), async (build) => {
    const job = await runner.create(await preparedBatch(config, auditId, jobName, build));
    await job.waitUntilFinished(FINISHED_DEADLINE_MS);
  });
}
