// SPDX-License-Identifier: Apache-2.0
/**
 * The keeper: a small process beside every owner of servers. The owner tells it over a pipe which process groups and
 * folders are its own; when the pipe ends, in whatever way the owner did (kill -9 included), the keeper kills the
 * groups and removes the folders. Lines: `+pid N`, `-pid N`, `+folder PATH`, `-folder PATH`. kept.ts starts it.
 */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { groupAlive, killGroup } from "./process-group";

const GONE_DEADLINE_MS = 5_000;
const POLL_MS = 10;

const pids = new Set<number>();
const folders = new Set<string>();

function obey(line: string): void {
  const at = line.indexOf(" ");
  const [verb, what] = [line.slice(0, at), line.slice(at + 1)];
  switch (verb) {
    case "+pid":
      pids.add(Number(what));
      return;
    case "-pid":
      pids.delete(Number(what));
      return;
    case "+folder":
      folders.add(what);
      return;
    case "-folder":
      folders.delete(what);
      return;
    default:
      throw new Error(`the keeper does not know "${line}"`);
  }
}

async function cleanUp(): Promise<void> {
  for (const pid of pids) killGroup(pid, "SIGKILL");
  const endsAt = performance.now() + GONE_DEADLINE_MS;
  while ([...pids].some(groupAlive) && performance.now() < endsAt)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

// A signal that ends the owner's terminal or process group must not end the keeper before it has cleaned up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
createInterface({ input: process.stdin })
  .on("line", obey)
  .on("close", () => void cleanUp());
