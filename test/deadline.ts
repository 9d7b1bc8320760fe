// SPDX-License-Identifier: Apache-2.0
/**
 * The factor by which another machine may be slower than one with two free processors: it may have a quarter of that
 * and other work.
 */
const SLOWER = 5;
const LEAST_MS = 60_000;

/**
 * A deadline in milliseconds for what takes `ms` at most where nothing else runs: of a test, of a hook, of a wait for a
 * condition. Nothing is slower for it but a test that fails. The closing line of a run on a slow machine must tell of
 * faults and not of its processors.
 */
export const deadline = (ms: number): number => Math.max(LEAST_MS, ms * SLOWER);

const STEPS = 20_000_000;
/** The time of the steps on a present-day processor without other work. */
const FREE_MS = 90;

/** How much slower than a free processor this one is now, 1 at least: for the few tests whose subject is a time. */
export function slowness(): number {
  const startedAt = performance.now();
  let hash = 1;
  for (let step = 0; step < STEPS; step++) hash = Math.imul(hash ^ step, 0x01000193);
  // The result is used, or the loop would be optimised away.
  return Math.max(1, (performance.now() - startedAt) / FREE_MS + (hash === 0 ? 1 : 0));
}
