// SPDX-License-Identifier: Apache-2.0
/**
 * Which reports of audits say how the numbers stand now: an audit of one hour that is equal says nothing of the hour
 * before it. The metrics of the service are read from them.
 */
import { MINUTE_MS } from "./time";

const OUTCOMES = ["equal", "repaired", "differences", "not-comparable"] as const;
type Outcome = (typeof OUTCOMES)[number];

/** A report of an audit, as far as it matters here. */
interface Report {
  outcome: Outcome;
  fromMs: number;
  toMs: number;
  /** Set on a report of the check of every total, which has no range. */
  totals?: boolean;
  cellsDiffering: number;
  differences: readonly { level: string; startMs: number }[];
  notComparable: readonly { minute: number }[];
}

/**
 * Returns the newest report of a range and the newest of the totals, and each older one of a range whose problems no
 * newer audit has looked at.
 */
export function standingAudits<R extends Report>(newestFirst: readonly R[]): R[] {
  const totals = newestFirst.find((report) => report.totals === true);
  const ranges = newestFirst.filter((report) => report.totals !== true);
  const standing = ranges.filter((report, n) => n === 0 || !placesOf(report).every(isWithinOne(ranges.slice(0, n))));
  return totals === undefined ? standing : [totals, ...standing];
}

/** Returns undefined where there is no report. */
export function worstOutcome(reports: readonly Pick<Report, "outcome">[]): Outcome | undefined {
  return OUTCOMES.findLast((outcome) => reports.some((report) => report.outcome === outcome));
}

type Place = Pick<Report, "fromMs" | "toMs">;

const isWithinOne =
  (ranges: readonly Place[]) =>
  ({ fromMs, toMs }: Place): boolean =>
    ranges.some((range) => range.fromMs <= fromMs && toMs <= range.toMs);

/** The places of what is wrong; the whole range where the report does not name all of them. */
function placesOf({ outcome, fromMs, toMs, cellsDiffering, differences, notComparable }: Report): Place[] {
  if (outcome === "equal" || outcome === "repaired") return [];
  const isNamed = cellsDiffering <= differences.length && differences.every(({ level }) => level !== "total");
  if (!isNamed || differences.length + notComparable.length === 0) return [{ fromMs, toMs }];
  const starts = [
    ...differences.map(({ startMs }) => startMs),
    ...notComparable.map(({ minute }) => minute * MINUTE_MS),
  ];
  return starts.map((startMs) => ({ fromMs: startMs, toMs: startMs + MINUTE_MS }));
}
