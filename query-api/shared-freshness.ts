// SPDX-License-Identifier: Apache-2.0
import type { LogProgress } from "../io/ports";

/**
 * A log's progress whose `completeThroughMs` is asked for once a while, for all reads of that while: the question costs
 * more than most answers. What it answers is true later, too, because completeness only grows; it is older by `keptMs`
 * at most.
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
