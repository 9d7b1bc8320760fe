// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { Archive } from "../../io/ports";
import type { Settings } from "../config/schema";
import { gcsLocation } from "./gcs-location";

/**
 * Opens the archive of a deployment, with the one adapter that the configuration names. Every opened deployment has it.
 */
export async function openArchive(config: Settings<"archive" | "data" | "gcs">): Promise<Archive> {
  if (config.archive.kind === "directory") {
    const { DirectoryArchive } = await import("../../io/directory/archive.js");
    return new DirectoryArchive({ folder: join(config.data, "archive") });
  }
  const { GcsArchive } = await import("../../io/gcs/archive.js");
  return new GcsArchive(gcsLocation(config, config.archive.prefix));
}
