import { cpSync, mkdirSync, statSync } from "node:fs";
import { basename, extname, join, relative, sep } from "node:path";

/** What processes say, what was sent, how it was configured. State, checkpoints and the log's segments are left: they are large and nobody reads them. */
const TOLD = new Set([".log", ".ndjson", ".json"]);
/** Of the emulated Cloud Storage: the archive, from which everything can be counted again. */
const OBJECTS = "objects";

/** Copies what tells of a run that went wrong out of folders that go away with it, each into a folder of its own name below `into`. */
export function keepEvidence(folders: readonly string[], into: string): void {
  mkdirSync(into, { recursive: true });
  for (const folder of folders) {
    const filter = (path: string): boolean =>
      // A server that still runs may have removed it meanwhile.
      statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ||
      TOLD.has(extname(path)) ||
      relative(folder, path).split(sep).slice(0, -1).includes(OBJECTS);
    cpSync(folder, join(into, basename(folder)), { recursive: true, filter });
  }
}
