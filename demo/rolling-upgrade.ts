// SPDX-License-Identifier: Apache-2.0
import type { ServerProcess } from "../servers";
import type { ClusterStack } from "./cluster-stack";
import type { Heal, Load } from "./load";
import { viewmillCommandIn } from "./viewmill-process";

const MORE_DEADLINE_MS = 600_000;
const POLL_MS = 50;

/**
 * One instance after the other ends in order, and starts again with the build of the configuration file; the job goes
 * on from a savepoint. Where there are two of each, no request may be refused meanwhile.
 */
export async function rollingUpgrade(stack: ClusterStack, load: Load): Promise<Heal> {
  const { serves, archivers, pool } = stack.processes;
  const refusedBefore = load.refusals();
  await untilMore(load);
  stack.upgrade();
  for (const each of [...serves, ...archivers]) {
    await replaced(each);
    await untilMore(load);
  }
  const savepoint = await told(stack, "savepoint", load.jobId, "--stop");
  await replaced(pool);
  return async () => {
    load.jobId = (await told(stack, "resume", savepoint.savepoint!)).jobId!;
    await untilMore(load);
    const refused = load.refusals() - refusedBefore;
    if (serves.length > 1 && refused > 0) load.faults.push(`${refused} requests were refused during the upgrade`);
  };
}

async function replaced(each: ServerProcess): Promise<void> {
  await each.kill("SIGTERM");
  await each.start();
}

async function untilMore(load: Load): Promise<void> {
  const [before, endsAt] = [load.accepted(), performance.now() + MORE_DEADLINE_MS];
  while (load.accepted() === before) {
    if (performance.now() > endsAt) throw new Error(`nothing is accepted for ${MORE_DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function told(stack: ClusterStack, ...args: string[]): Promise<{ savepoint?: string; jobId?: string }> {
  const flags = ["--json", "--config", stack.configFile];
  const { status, stdout, stderr } = await viewmillCommandIn(stack.environment, "pipeline", ...args, ...flags);
  if (status !== 0) throw new Error(`pipeline ${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as { savepoint?: string; jobId?: string };
}
