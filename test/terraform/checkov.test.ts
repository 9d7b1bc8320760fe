// SPDX-License-Identifier: Apache-2.0
/** checkov's policies for Google Cloud. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CheckovFindings, checkovFindings } from "../../servers";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { SOURCE } from "./workspace";

const OPEN_BUCKET = `resource "google_storage_bucket" "open" {
  name                     = "open"
  location                 = "EU"
  public_access_prevention = "inherited"
}
`;

describeWithServers("checkov", ["checkov"], () => {
  let findings: CheckovFindings;

  // One run for both tests: it takes longer to start than to look.
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "viewmill-checkov-"));
    try {
      cpSync(SOURCE, folder, { recursive: true, filter: (path) => !path.includes("/.terraform") });
      mkdirSync(join(folder, "open"));
      writeFileSync(join(folder, "open", "main.tf"), OPEN_BUCKET);
      findings = await checkovFindings(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, COLD_START_MS);

  test("finds nothing in the configuration, and every exception has a reason", () => {
    const { passed, failed, skipped } = findings;
    expect(failed.filter((finding) => !finding.includes("google_storage_bucket.open"))).toEqual([]);
    expect(passed).toBeGreaterThan(30);
    expect(skipped.length).toBeGreaterThan(5);
    expect(skipped.filter(({ reason }) => reason.length < 30)).toEqual([]);
  });

  test("finds a bucket that may be public, which was put beside it", () => {
    expect(findings.failed.join("\n")).toMatch(/CKV_GCP_114 google_storage_bucket.open/);
  });
});
