// SPDX-License-Identifier: Apache-2.0
/**
 * Signals for a process and all its children: every server leads a process group of its own. The keeper and the owners
 * of servers end them with it.
 */

/** False when the group is gone. */
export function killGroup(pid: number, signal: NodeJS.Signals): boolean {
  return send(pid, signal);
}

export function groupAlive(pid: number): boolean {
  return send(pid, 0);
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
