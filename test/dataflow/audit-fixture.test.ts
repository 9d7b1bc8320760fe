import { preparedBatch } from "../../cli/dataflow/prepared-jobs";
import { clusterAuditPipeline } from "../../pipelines/audit/cluster-audit";
import { expectFixtures } from "./fixture";
import { goldenConfig } from "./golden-config";
import { wrongFields } from "./message-types";

const MINUTE = Math.floor(Date.UTC(2026, 10, 21, 10) / 60_000);

// A file of its own, as a process tells all modules that it has loaded.
test("the submitted job of the audit is the committed one, and Google's types know every field", async () => {
  const options = { minutes: [MINUTE, MINUTE + 1], auditId: "audit-id", allowedLatenessMs: 3_600_000 };
  const prepared = await preparedBatch(goldenConfig(), "request-id", "viewmill-audit-id", (root) =>
    clusterAuditPipeline(root, options),
  );
  expectFixtures("audit", prepared);
  expect(wrongFields("Job", JSON.parse(JSON.stringify(prepared.request)))).toEqual([]);
});
