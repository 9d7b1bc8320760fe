// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, statSync } from "node:fs";

/**
 * Returns the size of a file that is about to be read. Throws an error of the system with the file's name where the
 * file is missing, a folder, or unreadable. `viewmill send`, `backfill` and `catalog` call it before they begin.
 */
export function fileSizeBytes(path: string): number {
  const stats = statSync(path);
  if (stats.isDirectory())
    throw Object.assign(new Error(`EISDIR: ${path} is a folder`), { code: "EISDIR", syscall: "open", path });
  accessSync(path, constants.R_OK);
  return stats.size;
}
