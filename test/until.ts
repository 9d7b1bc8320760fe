// SPDX-License-Identifier: Apache-2.0
import { deadline } from "./deadline";

const POLL_MS = 20;
/** Questions become rarer the longer they are asked, because a condition may be a request that costs milliseconds. */
const PAUSE_SHARE = 0.1;
const MAX_POLL_MS = 500;

/**
 * Polls until `condition` gives something, over errors; fails with `what` and its last answer or error after the
 * deadline. With `pollMs` all pauses are that long, for a condition that may hold for a moment only.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 30_000,
  pollMs?: number,
): Promise<T> {
  const startedAt = performance.now();
  const endsAt = startedAt + deadline(deadlineMs);
  let last: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endsAt)
      throw new Error(`not within ${deadline(deadlineMs)} ms: ${what} (last: ${String(last)})`, { cause: last });
    const pauseMs = pollMs ?? Math.min(MAX_POLL_MS, POLL_MS + PAUSE_SHARE * (performance.now() - startedAt));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
