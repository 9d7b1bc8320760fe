// SPDX-License-Identifier: Apache-2.0
/** A part of `npm run demo:kill`: two archivers of one log, of which one is killed. */
import { setTimeout as delay } from "node:timers/promises";
import { freePort, type ServerProcess } from "../servers";
import type { ClusterStack } from "./cluster-stack";
import type { Heal } from "./load";
import { archiverProcess } from "./viewmill-process";

const seconds = new WeakMap<ClusterStack, ServerProcess>();

/**
 * Two archivers share the log, and one of them is killed. The other one takes over its messages, and neither promises
 * work that the other has not done.
 */
export async function archiverPair(stack: ClusterStack, random: () => number): Promise<Heal> {
  const second = seconds.get(stack) ?? (await startSecond(stack));
  const killed = random() < 0.5 ? second : stack.processes.archiver;
  await killed.kill();
  return async () => {
    await delay(2_000 + random() * 5_000);
    await killed.restart();
  };
}

/** Returns the running archivers. */
export const archiversOf = (stack: ClusterStack): ServerProcess[] => {
  const second = seconds.get(stack);
  return second === undefined ? [stack.processes.archiver] : [stack.processes.archiver, second];
};

async function startSecond(stack: ClusterStack): Promise<ServerProcess> {
  const { folder, configFile, environment } = stack;
  const second = archiverProcess("archiver-2", folder, configFile, await freePort(), environment);
  seconds.set(stack, second);
  stack.alsoStop(second);
  await second.start();
  return second;
}
