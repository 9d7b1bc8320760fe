// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { Findings } from "../../io/ports";
import type { Settings } from "../config/schema";
import { gcsLocation } from "./gcs-location";

/**
 * The findings are beside the audited archive. The workers of an audit write them, and `viewmill audit` reads them.
 */
export async function openFindings(config: Settings<"archive" | "data" | "gcs">): Promise<Findings> {
  if (config.archive.kind === "gcs") {
    const { GcsFindings } = await import("../../io/gcs/findings.js");
    return new GcsFindings(gcsLocation(config, "audits/"));
  }
  const { DirectoryFindings } = await import("../../io/directory/findings.js");
  return new DirectoryFindings({ folder: join(config.data, "audit-findings") });
}
