// SPDX-License-Identifier: Apache-2.0
import { standingAudits, worstOutcome } from "../../../domain/rules/standing-audits";
import { HOUR_MS, MINUTE_MS } from "../../../domain/rules/time";

type Report = Parameters<typeof standingAudits>[0][number] & { id: string };

/** An audit of the hours [from, to). */
function report(id: string, from: number, to: number, more: Partial<Report> = {}): Report {
  const range = { fromMs: from * HOUR_MS, toMs: to * HOUR_MS };
  return { id, ...range, outcome: "equal", cellsDiffering: 0, differences: [], notComparable: [], ...more };
}
const differs = (id: string, from: number, to: number, at: number, level = "minute") =>
  report(id, from, to, {
    ...{ outcome: "differences", cellsDiffering: 1, differences: [{ level, startMs: at * HOUR_MS }] },
  });
/** Of reports that were made one after the other. */
const standing = (...reports: Report[]) => standingAudits(reports.toReversed()).map(({ id }) => id);

test("the newest of a range and the newest of the totals stand, whichever came last", () => {
  const totals = (id: string) => report(id, 0, 0, { totals: true });
  expect(standing()).toEqual([]);
  expect(standing(report("a", 1, 2))).toEqual(["a"]);
  expect(standing(totals("t"), report("a", 1, 2), totals("u"), report("b", 2, 3))).toEqual(["u", "b"]);
  expect(standing(report("a", 1, 2), totals("u"))).toEqual(["u", "a"]);
});

test("a problem stands until a newer audit has looked at its place, not at another place of its range", () => {
  const wrong = differs("wrong", 0, 100, 50);
  expect(standing(wrong, report("other", 60, 61))).toEqual(["other", "wrong"]);
  expect(standing(wrong, report("same", 50, 51), report("later", 60, 61))).toEqual(["later"]);
  const unread = report("unread", 0, 100, {
    ...{ outcome: "not-comparable", notComparable: [{ minute: (7 * HOUR_MS) / MINUTE_MS }] },
  });
  expect(standing(unread, report("other", 8, 9))).toEqual(["other", "unread"]);
  expect(standing(unread, report("same", 7, 8))).toEqual(["same"]);
});

test("problems that a report does not name one by one stand until its whole range is looked at", () => {
  const total = differs("total", 0, 100, 0, "total");
  const many = { ...differs("many", 0, 100, 50), cellsDiffering: 5_000 };
  const silent = report("silent", 0, 100, { outcome: "not-comparable" });
  for (const wrong of [total, many, silent]) {
    expect(standing(wrong, report("part", 0, 99))).toEqual(["part", wrong.id]);
    expect(standing(wrong, report("all", 0, 100))).toEqual(["all"]);
  }
});

test("what was repaired is right, and stands no longer than it is the newest", () => {
  const repaired = report("repaired", 1, 2, { outcome: "repaired", cellsDiffering: 3 });
  expect(standing(repaired)).toEqual(["repaired"]);
  expect(standing(repaired, report("other", 2, 3))).toEqual(["other"]);
});

test("the worst outcome is the last of equal, repaired, differences, not-comparable", () => {
  expect(worstOutcome([])).toBeUndefined();
  const outcomes = ["equal", "repaired", "differences", "not-comparable"] as const;
  for (const [n, outcome] of outcomes.entries())
    for (const better of outcomes.slice(0, n + 1))
      for (const pair of [
        [outcome, better],
        [better, outcome],
      ] as const)
        expect(worstOutcome(pair.map((one) => ({ outcome: one })))).toBe(outcome);
});
