/** checkov's policies for Google Cloud. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkovFindings } from "../../servers";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { SOURCE } from "./workspace";

const BUCKET = `resource "google_storage_bucket" "open" {
  name                     = "open"
  location                 = "EU"
  public_access_prevention = "inherited"
}
`;

describeWithServers("checkov", ["checkov"], () => {
  test(
    "finds nothing in the configuration, and every exception has a reason",
    async () => {
      const { passed, failed, skipped } = await checkovFindings(SOURCE);
      expect(failed).toEqual([]);
      expect(passed).toBeGreaterThan(40);
      expect(skipped.filter(({ reason }) => reason.length < 30)).toEqual([]);
    },
    COLD_START_MS,
  );

  test(
    "finds a bucket that may be public",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-checkov-"));
      try {
        writeFileSync(join(folder, "main.tf"), BUCKET);
        const { failed } = await checkovFindings(folder);
        expect(failed.join("\n")).toMatch(/CKV_GCP_114 google_storage_bucket.open/);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    COLD_START_MS,
  );
});
