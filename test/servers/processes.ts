/** What a test may ask of the machine: whether a process or folder is there, and waiting until it is not. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { startOf } from "../../servers/running";
import { deadline } from "../deadline";

const POLL_MS = 20;

export const isAlive = (pid: number): boolean => startOf(pid) !== undefined;

/** Resolves once `condition`; rejects with `what` after the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const endsAt = performance.now() + deadline(deadlineMs);
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Names in the system's temporary folder that begin so. */
export const temporaryFolders = (prefix: string): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(prefix));
