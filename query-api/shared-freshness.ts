// SPDX-License-Identifier: Apache-2.0
import type { LogProgress } from "../io/ports";

/**
 * A log's progress whose `completeThroughMs` is read once a while, for all requests of that while, because the query
 * costs more than most answers. Its answer stays true later, because completeness only grows; it is older by `keptMs`
 * at most. `serve` gives it to the read API instead of the log's own progress.
 */
export function sharedFreshness(progress: LogProgress, keptMs: number, now = () => performance.now()): LogProgress {
  let asked: { atMs: number; answer: Promise<number> } | undefined;
  return {
    behind: () => progress.behind(),
    accepted: (fromMinute, toMinute) => progress.accepted(fromMinute, toMinute),
    archivedThroughMs: (nowMs) => progress.archivedThroughMs(nowMs),
    completeThroughMs: (nowMs) => {
      if (asked !== undefined && now() - asked.atMs < keptMs) return asked.answer;
      const mine = { atMs: now(), answer: progress.completeThroughMs(nowMs) };
      asked = mine;
      mine.answer.catch(() => {
        if (asked === mine) asked = undefined;
      });
      return mine.answer;
    },
  };
}
