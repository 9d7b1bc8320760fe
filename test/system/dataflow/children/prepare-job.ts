// SPDX-License-Identifier: Apache-2.0
/** Prints the job that its argument names as JSON, its graph in base64. */
import { preparedBatch, preparedStream } from "../../../../cli/deployment/dataflow/prepared-jobs";
import type { PreparedJob } from "../../../../engine/dataflow";
import { goldenConfig } from "../golden-config";

const REPLACED = { jobId: "2026-11-21_09_00_00-1", transformNameMapping: { OldName: "NewName" } };
const MINUTE = Math.floor(Date.UTC(2026, 10, 21, 10) / 60_000);
const AUDITED = {
  ...{ units: [MINUTE, MINUTE + 1].map((minute) => ({ minute, part: 0, of: 1, events: 1 })), auditId: "audit-id" },
  ...{ fromMinute: MINUTE, toMinute: MINUTE + 2, isAgain: false, allowedLatenessMs: 3_600_000 },
  ...{ finalBeforeMs: MINUTE * 60_000, patienceMs: 0, repair: true, idPartitions: 1, videoParts: 16 },
  seeds: [1, 2] as [number, number],
};

const JOBS: Record<string, () => Promise<PreparedJob>> = {
  stream: () => preparedStream(goldenConfig(), "request-id"),
  update: () => preparedStream(goldenConfig(), "request-id", REPLACED),
  audit: async () => {
    // The other jobs do not load it.
    const audit =
      require("../../../../pipelines/audit/cluster-audit") as typeof import("../../../../pipelines/audit/cluster-audit");
    return preparedBatch(goldenConfig(), "request-id", "viewmill-audit-id", (root) =>
      audit.clusterAuditPipeline(root, AUDITED),
    );
  },
};

async function main(): Promise<void> {
  const job = await JOBS[process.argv[2]!]!();
  process.stdout.write(JSON.stringify({ ...job, pipeline: Buffer.from(job.pipeline).toString("base64") }));
}
void main();
