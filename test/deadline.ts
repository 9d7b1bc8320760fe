/** How much longer than a machine with two free processors another one may take, which has a quarter of that and other work beside it. */
const SLOWER = 5;
const LEAST_MS = 60_000;

/**
 * A deadline in milliseconds for what takes `ms` at most where nothing else runs: of a test, of a hook, of a wait for a condition. Nothing is
 * slower for it but a test that fails. The closing line of a run on a slow machine must tell of faults and not of its processors.
 */
export const deadline = (ms: number): number => Math.max(LEAST_MS, ms * SLOWER);
