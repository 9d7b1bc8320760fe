import { pause } from "../pause";
import type { PassDependencies, PassOptions, PassResult } from "./pass";
import { runPass } from "./pass";

export interface StreamOptions extends PassOptions {
  /** A pass starts at most this often while the stream keeps up. */
  minPassIntervalMs: number;
  /** Share of one core that passes may take while the stream keeps up (0..1]. */
  maxCpuShare: number;
  /** How often the log is looked at while there is nothing to do. */
  pollIntervalMs: number;
}

/** A long pass, such as one over a backlog, earns no longer rest than this: what comes meanwhile would wait for all of it. */
const MAX_REST_MS = 1_000;

/**
 * The embedded stream: pass after pass until `signal` aborts. While it keeps up, it spaces passes so that they take at most
 * `maxCpuShare` of a core; with a backlog it runs them back to back. A pass that fails ends the stream with its error: the process
 * that runs it restarts it from the checkpoint.
 */
export async function runStream(
  deps: PassDependencies,
  options: StreamOptions,
  signal: AbortSignal,
  onPass: (result: PassResult, tookMs: number) => void,
): Promise<void> {
  while (!signal.aborted) {
    const startedAt = performance.now();
    const result = await runPass(deps, options);
    if (result === undefined) {
      await pause(options.pollIntervalMs, signal);
      continue;
    }
    const tookMs = performance.now() - startedAt;
    onPass(result, tookMs);
    if (!result.caughtUp) continue;
    const restMs = Math.max(options.minPassIntervalMs, tookMs / options.maxCpuShare) - tookMs;
    await pause(Math.min(restMs, MAX_REST_MS), signal);
  }
}
