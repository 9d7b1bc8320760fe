// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryFolder } from "./memory-folder.mjs";

/**
 * Prepares the environment of a run of the tests, for its child processes, and returns a folder for the run's own
 * files. The folder is removed when this process ends.
 */
export function testEnvironment(checkout) {
  // Suites start some hundred processes of Node, each with the same modules to compile.
  process.env.NODE_COMPILE_CACHE ??= join(checkout, ".cache", "node-compiled");
  // Logs, databases and checkpoints of seconds need no disk.
  const inMemory = process.env.TMPDIR === undefined ? memoryFolder("viewmill-test-") : undefined;
  const folder = inMemory ?? mkdtempSync(join(tmpdir(), "viewmill-test-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  if (inMemory !== undefined) process.env.TMPDIR = inMemory;
  return folder;
}
