// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { keepEvidence } from "../../demo/evidence";

describe("the evidence of a run that went wrong", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-evidence-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("has logs, sent events and archive objects by their folders, and no state", () => {
    const files = {
      "cluster/sent.ndjson": "{}\n",
      "cluster/worker-pool.log": "said",
      "flink/taskmanager-1.log": "said too",
      "flink/checkpoints/1/state": "large",
      "gcs/objects/bucket/raw/2026/11/21/part-1.avro": "object",
      "kafka/kafka.log": "said as well",
      "kafka/data/viewmill-events-0/00000000000000000000.log": "large",
    };
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const kept = join(folder, "kept", "seed-1");
    keepEvidence(
      ["cluster", "flink", "gcs", "kafka"].map((name) => join(folder, name)),
      kept,
    );
    for (const [name, content] of Object.entries(files)) {
      if (content === "large") expect(existsSync(join(kept, name)), name).toBe(false);
      else expect(readFileSync(join(kept, name), "utf8"), name).toBe(content);
    }
  });
});
