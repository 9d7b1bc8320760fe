// SPDX-License-Identifier: Apache-2.0
/** A part of `npm run demo:kill`: two archivers of one log, of which one is killed. */
import { setTimeout as delay } from "node:timers/promises";
import type { ClusterStack } from "./cluster-stack";
import type { Heal } from "./load";
import { archiverProcess } from "./viewmill-process";

/**
 * Two archivers share the log, and one of them is killed. The other one takes over its messages, and neither promises
 * work that the other has not done.
 */
export async function archiverPair(stack: ClusterStack, random: () => number): Promise<Heal> {
  const { archivers } = stack.processes;
  if (archivers.length === 1) await startSecond(stack);
  const killed = archivers[Math.floor(random() * archivers.length)]!;
  await killed.kill();
  return async () => {
    await delay(2_000 + random() * 5_000);
    await killed.restart();
  };
}

async function startSecond(stack: ClusterStack): Promise<void> {
  const second = await archiverProcess("archiver-2", stack.folder, () => stack.build, stack.environment);
  stack.processes.archivers.push(second);
  await second.start();
}
