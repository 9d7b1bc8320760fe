// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import { HOUR_MS } from "../domain/rules/time";
import type { ClusterStack } from "./cluster-stack";
import type { Heal, Load } from "./load";

const AWAY_MS = 4 * HOUR_MS;
/** Some events of the last hour are too late for the stream by this, which leaves them to the audit. */
const LATE_BY_MS = 2 * HOUR_MS;
const CANCELLED_DEADLINE_MS = 300_000;
const JUMP_DEADLINE_MS = 150_000;
const POLL_MS = 50;

/**
 * The job is away while the clock advances by four hours: no answer may call uncounted events complete. Another job
 * counts all of them. `npm run demo:kill` does this once.
 */
export async function jobAway(stack: ClusterStack, random: () => number, load: Load): Promise<Heal> {
  await stack.flink.cancel(load.jobId);
  await stack.flink.awaitState(load.jobId, (state) => state === "CANCELED", CANCELLED_DEADLINE_MS);
  return async () => {
    await delay(1_000 + random() * 3_000);
    await load.pace.pausedFor(async () => {
      stack.clock.advance(AWAY_MS);
      load.pace.setTimes({ aheadMs: stack.clock.aheadMs, lateByMs: LATE_BY_MS });
      await untilJumped(stack);
    });
    await delay(3_000 + random() * 3_000);
    load.jobId = await stack.submit({ name: `back-${Math.floor(random() * 1e9)}` });
  };
}

async function untilJumped(stack: ClusterStack): Promise<void> {
  const endsAt = performance.now() + JUMP_DEADLINE_MS;
  for (;;) {
    const answer = await fetch(`${stack.processes.serveUrl}/v1/videos/any`).catch(() => undefined);
    if (answer?.ok === true) {
      const { asOf } = (await answer.json()) as { asOf: string };
      if (Math.abs(Date.parse(asOf) - stack.clock.now()) < AWAY_MS / 2) return;
    }
    if (performance.now() > endsAt) throw new Error("the service does not follow the clock");
    await delay(POLL_MS);
  }
}
