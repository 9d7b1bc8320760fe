// SPDX-License-Identifier: Apache-2.0
import { hasComparedNothing } from "../domain/rules/compared-nothing";
import { MINUTE_MS } from "../domain/rules/time";
import type { AuditReport } from "../io/ports";

/** Returns a report in the form of `GET /v1/audits` and `viewmill audit --json`, with times as RFC 3339. */
export function shownReport({ startedAtMs, fromMs, toMs, ...report }: AuditReport) {
  const { notComparable, differences, losses, writtenOff, reusedIds, ...rest } = report;
  return {
    ...rest,
    ...(hasComparedNothing(report) && { comparedNothing: true }),
    startedAt: iso(startedAtMs),
    from: iso(fromMs),
    to: iso(toMs),
    ...(reusedIds && { reusedIds: reusedIds.map(({ places, ...id }) => ({ ...id, places: places.map(atMinute) })) }),
    ...(losses && { losses: losses.map(atMinute) }),
    ...(writtenOff && { writtenOff: writtenOff.map(({ atMs, ...loss }) => ({ ...atMinute(loss), at: iso(atMs) })) }),
    notComparable: notComparable.map(atMinute),
    differences: differences.map(({ startMs, ...cell }) => ({ ...cell, start: iso(startMs) })),
  };
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

const atMinute = <T extends { minute: number }>({ minute, ...rest }: T) => ({
  ...rest,
  minute: iso(minute * MINUTE_MS),
});
