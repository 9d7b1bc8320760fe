// SPDX-License-Identifier: Apache-2.0
import { deadline } from "./deadline";

const POLL_MS = 20;

/**
 * Polls until `condition` gives something, over errors; fails with `what` and its last answer or error after the
 * deadline.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 30_000,
  pollMs = POLL_MS,
): Promise<T> {
  const endsAt = performance.now() + deadline(deadlineMs);
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
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
