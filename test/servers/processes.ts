/** What a test may ask of the machine: whether a process or folder is there, and waiting until it is not. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";

const POLL_MS = 20;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves once `condition`; rejects with `what` after the deadline. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Names in the system's temporary folder that begin so. */
export const temporaryFolders = (prefix: string): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(prefix));
