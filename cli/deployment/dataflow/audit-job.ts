// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { HOUR_MS } from "../../../domain/rules/time";
import type { AuditRunner } from "../../../pipelines/audit/audit-runner";
import { ClusterAuditRunner } from "../../../pipelines/audit/cluster-audit";
import type { Settings } from "../../config/schema";
import { openFindings } from "../open-findings";
import { checkDataflow, checkStores } from "./dataflow-flags";
import { openRunner } from "./open-runner";
import { checkProject } from "./preflight";
import { type JobSections, preparedBatch } from "./prepared-jobs";

const FINISHED_DEADLINE_MS = 6 * HOUR_MS;

const jobNameOf = (id: string): string => `viewmill-audit-${id}`;

/**
 * Returns the audit's runner: a batch job on Dataflow, with its graph in the staging folder and its findings in the
 * bucket of the archive. Rejects with ConfigError or PreflightError before any job is created. A job that has not ended
 * after six hours fails the audit and goes on by itself. `viewmill audit --runner dataflow` uses it.
 */
export async function dataflowAuditRunner(config: JobSections & Settings<"data">): Promise<AuditRunner> {
  checkDataflow(config);
  checkStores(config);
  const runner = openRunner(config);
  const auditId = randomUUID();
  await checkProject(runner, config, { jobName: jobNameOf(auditId), replaces: false });
  return new ClusterAuditRunner("dataflow", auditId, await openFindings(config), async (build, id) => {
    const job = await runner.create(await preparedBatch(config, id, jobNameOf(id), build));
    await job.waitUntilFinished(FINISHED_DEADLINE_MS);
  });
}
