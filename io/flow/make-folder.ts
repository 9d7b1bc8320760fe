// SPDX-License-Identifier: Apache-2.0
/**
 * Creates folders on this machine. Every room that makes a folder by a name from outside calls it: Node's own recursive
 * mkdir never returns where the system says of an existing parent that there is no such folder, as below /proc.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Creates a folder and those above it where they are missing. Throws the error of the system. */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  let parent = resolve(folder);
  for (; !isFolder(parent) && dirname(parent) !== parent; parent = dirname(parent)) missing.push(parent);
  for (const each of missing.reverse()) {
    try {
      mkdirSync(each);
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!isFolder(each)) throw error;
    }
  }
}
