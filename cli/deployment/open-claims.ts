// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { ClaimStore } from "../../io/ports";
import type { Settings } from "../config/schema";
import { gcsLocation } from "./gcs-location";

/**
 * Opens the claims, to which references in the log point. With `none` the log carries no references; a reference that
 * it carries all the same is looked up in the data folder. `serve` writes them, and the archiver and the workers of a
 * stream read them.
 */
export async function openClaims(config: Settings<"claims" | "data" | "gcs">): Promise<ClaimStore> {
  if (config.claims.kind === "gcs") {
    const { GcsClaimStore } = await import("../../io/gcs/claims.js");
    return new GcsClaimStore(gcsLocation(config, config.claims.prefix));
  }
  const { DirectoryClaimStore } = await import("../../io/directory/claims.js");
  return new DirectoryClaimStore({ folder: join(config.data, "claims") });
}
