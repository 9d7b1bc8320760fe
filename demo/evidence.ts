// SPDX-License-Identifier: Apache-2.0
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";

/**
 * The files to keep, in the folder of each server: logs, sent events and configurations. The folders below hold state,
 * checkpoints and the log's segments.
 */
const TOLD = new Set([".log", ".ndjson", ".json"]);
/** The folder of the emulated Cloud Storage with the archive, from which everything can be counted again. */
const OBJECTS = "objects";

/**
 * Copies the evidence of a failed run out of folders that are about to be removed, each into a folder of its own name
 * below `into`. `npm run demo:kill` keeps logs and stores with it when it fails.
 */
export function keepEvidence(folders: readonly string[], into: string): void {
  for (const folder of folders) {
    const kept = join(into, basename(folder));
    mkdirSync(kept, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (TOLD.has(extname(name)) || name === OBJECTS)
        cpSync(join(folder, name), join(kept, name), { recursive: true });
    }
  }
}
