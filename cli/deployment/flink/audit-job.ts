// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { HOUR_MS } from "../../../domain/rules/time";
import { buildPipelineProto, FlinkRunner, replaceEnvironments } from "../../../engine";
import type { AuditRunner } from "../../../pipelines/audit/audit-runner";
import { ClusterAuditRunner } from "../../../pipelines/audit/cluster-audit";
import type { Settings } from "../../config/schema";
import { openFindings } from "../open-findings";

const FINISHED_DEADLINE_MS = 6 * HOUR_MS;

/**
 * Returns the audit's runner: a batch job of the cluster, with workers of the deployment's pool.
 * `viewmill audit --runner flink` runs with it.
 */
export async function flinkAuditRunner(config: Settings<"archive" | "data" | "flink" | "gcs">): Promise<AuditRunner> {
  const auditId = randomUUID();
  const { jobServer, restUrl, workerPool, parallelism, workersPerTaskManager } = config.flink;
  return new ClusterAuditRunner("flink", auditId, await openFindings(config), async (build, id) => {
    const proto = replaceEnvironments(await buildPipelineProto(build), { pool: workerPool });
    const runner = new FlinkRunner({ jobServer, restUrl });
    try {
      const job = await runner.submit(proto, {
        jobName: `viewmill-audit-${id}`,
        streaming: false,
        parallelism,
        sdkWorkerParallelism: workersPerTaskManager,
      });
      await job.waitUntilFinished(FINISHED_DEADLINE_MS);
    } finally {
      runner.close();
    }
  });
}
