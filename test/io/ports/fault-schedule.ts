// SPDX-License-Identifier: Apache-2.0
import type { FaultProxy } from "../../../servers";
import { until } from "../../until";

const DEADLINE_MS = 120_000;

/** The effect of a fault, and how often it has occurred: a fault lasts until a call has met it. */
interface Fault {
  begin(): void;
  felt(): number;
  /** At most so much more of it. */
  most: number;
}

interface Schedule {
  proxy: FaultProxy;
  random: () => number;
  /** Grows as what the faults are about succeeds: between two faults the network is whole until it has. */
  succeeded: () => number;
  /** Successes between two faults, at most. */
  mostSuccesses: number;
  /** Ends the schedule early. */
  over?: () => boolean;
}

const below = (random: () => number, bound: number): number => 1 + Math.floor(random() * bound);

/**
 * Faults one after the other, each until a call has met it, with successes between them: cut connections, lost answers,
 * lost answers with their connections, and delays. No fault depends on time, so that a slow machine has the same faults
 * as a fast one.
 */
export async function faultRounds(rounds: number, schedule: Schedule): Promise<void> {
  const { proxy, random, succeeded, mostSuccesses, over = () => false } = schedule;
  const grown = async (what: string, count: () => number, more: number) => {
    const enough = count() + more;
    await until(what, () => over() || count() >= enough, DEADLINE_MS, 2);
  };
  const faults: readonly Fault[] = [
    { begin: () => proxy.cut(), felt: () => proxy.refusedConnections, most: 2 },
    { begin: () => proxy.swallowAnswers(true), felt: () => proxy.swallowedBytes, most: 500 },
    { begin: () => proxy.delay(100 + random() * 300), felt: () => proxy.delayedBytes, most: 20_000 },
  ];
  for (let round = 0; round < rounds && !over(); round++) {
    await grown("something succeeds between two faults", succeeded, below(random, mostSuccesses));
    const { begin, felt, most } = faults[round < faults.length ? round : Math.floor(random() * faults.length)]!;
    begin();
    await grown("a fault is felt", felt, below(random, most));
    // Every other time what is on its way is lost with its connection.
    if (random() < 0.5) proxy.cut();
    proxy.pass();
  }
}
