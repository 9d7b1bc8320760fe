// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import { StoreUnavailableError } from "../../io/ports";
import { pause } from "../pause";
import { type PassDependencies, type PassOptions, type PassResult, runPass, runSlice } from "./pass";

export interface StreamOptions extends PassOptions {
  /** The least time between the starts of two passes while the stream keeps up. */
  minPassIntervalMs: number;
  /** The share of one core that passes may take while nothing waits at their end (0..1]. */
  maxCpuShare: number;
  /** How often the stream asks the log for new entries while it has no work. */
  pollIntervalMs: number;
}

/**
 * The longest rest after a pass. A long pass, such as one over a backlog, would otherwise make events wait for as long
 * a rest.
 */
const MAX_REST_MS = 1_000;

/**
 * Runs the embedded stream: pass after pass until `signal` aborts, and after each pass a slice of the deferred
 * minutes, so that neither waits for the end of the other. While the stream keeps up, it spaces passes: their starts
 * are `minPassIntervalMs` apart, because a pass for each handful of events costs far more than counting them, and
 * where nothing waits they take at most `maxCpuShare` of a core. With a backlog it runs them back to back. The stream
 * waits for a store that cannot be used for a while. Any other failure ends the stream with its error, and the
 * process that runs the stream starts it again from the checkpoint. The stream process of `serve` calls it
 * (cli/programs/stream-process.ts).
 */
export async function runStream(
  deps: PassDependencies,
  options: StreamOptions,
  signal: AbortSignal,
  { onPass, onWait }: StreamEvents,
): Promise<void> {
  while (!signal.aborted) {
    const startedAt = performance.now();
    const step = async (run: typeof runPass) => {
      const stepAt = performance.now();
      const result = await throughOutage(() => run(deps, options), signal, onWait);
      if (result !== undefined) onPass(result, performance.now() - stepAt);
      return result;
    };
    const pass = await step(runPass);
    const slice = signal.aborted ? undefined : await step(runSlice);
    if (pass === undefined && slice === undefined) {
      await pause(options.pollIntervalMs, signal);
      continue;
    }
    if (pass?.left === "older" || slice?.left === "older") continue;
    const tookMs = performance.now() - startedAt;
    const ofShareMs = pass?.left === "newer" ? 0 : tookMs / options.maxCpuShare;
    const restMs = Math.max(options.minPassIntervalMs, ofShareMs) - tookMs;
    await pause(Math.min(restMs, MAX_REST_MS), signal);
  }
}

interface StreamEvents {
  onPass: (result: PassResult, tookMs: number) => void;
  /** Called when the stream waits for a store, with the reason. */
  onWait: (error: StoreUnavailableError, waitMs: number) => void;
}

const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;
/** The longest wait for a store. After it the stream ends, because a new process can open the store anew. */
const MAX_OUTAGE_MS = 10 * MINUTE_MS;

/**
 * Repeats `work` while a store cannot be used, such as a SQLite file that another process has locked for longer than
 * its busy timeout. A new process would find the same lock, and would have lost the kept panes. Resolves with undefined
 * when `signal` aborts.
 */
async function throughOutage<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  onWait: StreamEvents["onWait"],
): Promise<T | undefined> {
  const startedAt = performance.now();
  for (let waitMs = MIN_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
    try {
      return await work();
    } catch (error) {
      const outage = outageIn(error);
      if (outage === undefined || performance.now() - startedAt > MAX_OUTAGE_MS) throw error;
      if (signal.aborted) return undefined;
      onWait(outage, waitMs);
      await pause(waitMs, signal);
    }
  }
}

/** Returns the store's error behind an error of the engine, which wraps every error that a transform throws. */
function outageIn(error: unknown): StoreUnavailableError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof StoreUnavailableError) return cause;
  return undefined;
}
