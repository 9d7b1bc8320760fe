// SPDX-License-Identifier: Apache-2.0
/** The driver's books of an audit: what was not compared is never called equal, in whatever order findings arrive. */
import fc from "fast-check";
import { HOUR_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { AuditBooks } from "../../pipelines/audit/audit-books";
import type { HourFinding } from "../../transforms/compare-hours";
import { NO_LOSS } from "../../transforms/missing-events";

const HOUR = 490_000;
const FIRST = HOUR * MINUTES_AN_HOUR;
const WHOLE_HOUR = Array.from({ length: MINUTES_AN_HOUR }, (_, n) => FIRST + n);
const NO_SUMS = { cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [] };

const row = (minute: number): HourFinding["minutes"][number] => ({
  ...{ minute, objects: 1, objectsKey: "k", changeSequence: 1, notComparable: "", repeated: 0, missing: 0 },
  ...{ loss: NO_LOSS, wasSettled: false, isUnbalanced: false },
  counted: {
    ...{ events: 1, distinct: 1, lateCounted: 0, lateDuplicate: 0, backfillCounted: 0, backfillDuplicate: 0 },
  },
});
const finding = (videoPart: number, more: Partial<HourFinding>): HourFinding => ({
  ...{ hour: HOUR, videoPart, minutes: [], ...NO_SUMS },
  ...{ corrected: [], differing: [], unstable: [], notFinal: [], levelsDiffer: false, ...more },
});
const opened = () => new AuditBooks({ repair: false, allowedLatenessMs: -1, finalBeforeMs: Number.MAX_SAFE_INTEGER });

describe("what a part of the videos could not compare is not comparable", () => {
  const rows = finding(0, { minutes: [row(FIRST), row(FIRST + 7)] });
  it.each([
    ["whose cells are leaving the store", finding(1, { incomparable: "rolled up" }), WHOLE_HOUR],
    ["that the stream may still change", finding(1, { notFinal: [FIRST + 7] }), [FIRST + 7]],
  ])("%s, whichever part arrives first", (_name, other, unproven) => {
    fc.assert(
      fc.property(fc.shuffledSubarray([rows, other, finding(2, {})], { minLength: 3 }), (findings) => {
        const books = opened();
        books.take(findings);
        expect(books.outcome()).toBe("not-comparable");
        expect(books.unproven()).toEqual(unproven);
      }),
    );
  });
});

it("a minute that is audited again can be comparable then, and the rest of its hour is not", () => {
  const changing = { ...row(FIRST), notComparable: "events are missing" };
  const books = opened();
  books.take([finding(0, { minutes: [changing], unstable: [FIRST] })]);
  expect(books.outcome()).toBe("not-comparable");
  expect(books.auditAgain()).toEqual([FIRST]);
  books.take([finding(0, { minutes: [row(FIRST)] })]);
  expect([books.outcome(), books.unproven()]).toEqual(["equal", []]);

  const rolling = opened();
  rolling.take([finding(0, { minutes: [row(FIRST)], unstable: [FIRST], incomparable: "rolled up" })]);
  expect(rolling.auditAgain()).toEqual([FIRST]);
  rolling.take([finding(0, { minutes: [row(FIRST)] })]);
  expect([rolling.outcome(), rolling.unproven()]).toEqual(["not-comparable", WHOLE_HOUR]);
});

it("an hour that differs, or has no comparable roll-up, is unproven whole, with books of its minutes or without", () => {
  const differing = opened();
  differing.take([finding(0, { levelsDiffer: true })]);
  expect([...differing.wrong()]).toEqual(WHOLE_HOUR);
  const difference = { level: "hour", videoId: "v", eventType: "VIEW", startMs: HOUR * HOUR_MS } as const;
  const counts = { archiveCount: 1, storedCount: 2, archiveSum: "0", storedSum: "0" };
  const rolled = opened();
  rolled.takeRolled({
    ...{ cellsCompared: 1, cellsDiffering: 1, cellsRepaired: 0, differences: [{ ...difference, ...counts }] },
    notComparable: [{ minute: FIRST + MINUTES_AN_HOUR, hours: 2, reason: "missing" }],
  });
  expect([...rolled.wrong()]).toEqual(WHOLE_HOUR);
  expect(rolled.unproven()).toEqual(Array.from({ length: 3 * MINUTES_AN_HOUR }, (_, n) => FIRST + n));
});
