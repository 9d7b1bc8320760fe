// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MEMORY_FILE_SYSTEM = "/dev/shm";
/** The suites without clusters were seen to hold 1 GiB at most. */
const WANTED_BYTES = 4 * 2 ** 30;

/**
 * Returns a new folder in memory, for files that live for seconds; undefined where memory is short, or programs may not
 * run from the folder. `npm test` keeps its temporary files in one.
 */
export function memoryFolder(prefix) {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FILE_SYSTEM);
    if (bavail * bsize < WANTED_BYTES || availableMemory() < 2 * WANTED_BYTES) return undefined;
    const folder = mkdtempSync(join(MEMORY_FILE_SYSTEM, prefix));
    if (runsPrograms(folder)) return folder;
    rmSync(folder, { recursive: true });
  } catch {
    // Some systems lack all of this.
  }
  return undefined;
}

const availableMemory = () =>
  1024 * Number(/^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))[1]);

function runsPrograms(folder) {
  const program = join(folder, "program");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  const { status } = spawnSync(program);
  rmSync(program);
  return status === 0;
}
