// SPDX-License-Identifier: Apache-2.0
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";

/**
 * What processes say, what was sent, how it was configured: directly in the folder of each server. Below are state,
 * checkpoints and the log's segments.
 */
const TOLD = new Set([".log", ".ndjson", ".json"]);
/** Of the emulated Cloud Storage: the archive, from which everything can be counted again. */
const OBJECTS = "objects";

/**
 * Copies what tells of a run that went wrong out of folders that go away with it, each into a folder of its own name
 * below `into`.
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
