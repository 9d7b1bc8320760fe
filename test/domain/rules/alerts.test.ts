// SPDX-License-Identifier: Apache-2.0
/** When alerts fire: the rules alone, over readings in any order. */
import fc from "fast-check";
import { type AlertReading, type AlertRule, type AlertState, judged, NO_ALERT } from "../../../domain/rules/alerts";

const T = Date.parse("2026-11-21T10:00:00Z");
const MINUTE = 60_000;
const VIDEO: AlertRule = { name: "r", kind: "video-passes", videoId: "v", eventType: "VIEW", count: 10 };

/** Looks at the readings a minute apart; the look numbers at which the rule fired, by what it fired for. */
function fires(rule: AlertRule, readings: readonly AlertReading[]): [number, string][] {
  let state: AlertState = NO_ALERT;
  return readings.flatMap((reading, look) => {
    const found = judged(rule, reading, state, T + look * MINUTE);
    // The state survives the way through the store.
    state = JSON.parse(JSON.stringify(found.state)) as AlertState;
    return found.crossings.map(({ subject }): [number, string] => [look, subject]);
  });
}
const counts = (...all: number[]): AlertReading[] => all.map((count) => ({ kind: "count", count }));

it("a video that passes a number fires once, and once more after it has fallen below", () => {
  expect(fires(VIDEO, counts(0, 9, 10, 11, 500))).toEqual([[2, ""]]);
  expect(fires(VIDEO, counts(10, 9, 10, 10))).toEqual([
    [0, ""],
    [2, ""],
  ]);
});

it("fires exactly where the condition begins to hold, whatever the readings", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 50 }), (all) => {
      const expected = all.flatMap((count, look) => (count >= 10 && (all[look - 1] ?? 0) < 10 ? [look] : []));
      expect(fires(VIDEO, counts(...all)).map(([look]) => look)).toEqual(expected);
    }),
  );
});

it("a channel's detail names the channel", () => {
  const rule: AlertRule = { name: "c", kind: "channel-passes", channelId: "ch", eventType: "LIKE", count: 3 };
  expect(judged(rule, { kind: "count", count: 4 }, NO_ALERT, T).crossings).toEqual([
    { subject: "", detail: "channel ch has 4 LIKE, and 3 were waited for" },
  ]);
});

describe("the rate against the last week", () => {
  const rule: AlertRule = { name: "r", kind: "rate", minutes: 60, above: 2, below: 0.5, least: 100 };
  const rate = (count: number, ...before: number[]): AlertReading => ({ kind: "rate", endMs: T, count, before });

  it("fires above and below the mean of the days that say something, and each for itself", () => {
    expect(fires(rule, [rate(150, 100, 100)])).toEqual([]);
    expect(fires(rule, [rate(200, 100, 100)])).toEqual([[0, "above"]]);
    expect(fires(rule, [rate(50, 100, 100), rate(51, 100, 100), rate(200, 100, 3)])).toEqual([
      [0, "below"],
      [2, "above"],
    ]);
  });

  it("says nothing without days that have enough events, a new deployment's silence included", () => {
    expect(fires(rule, [rate(0), rate(0, 0, 0, 0), rate(5_000, 99, 99)])).toEqual([]);
  });
});

it("a canary fires when it has failed for as long as the rule says, and a good round begins anew", () => {
  const rule: AlertRule = { name: "k", kind: "canary", minutes: 2 };
  const round = (outcome: string): AlertReading => ({ kind: "canary", outcome, detail: "" });
  const looks = ["lost", "lost", "ok", "lost", "unread", "lost", "lost", "ok", "lost"].map(round);
  expect(fires(rule, looks)).toEqual([[5, ""]]);
});

it("a clock that is set back keeps no rule from firing: its time begins anew", () => {
  const rule: AlertRule = { name: "k", kind: "canary", minutes: 2 };
  const lost: AlertReading = { kind: "canary", outcome: "lost", detail: "" };
  const { state } = judged(rule, lost, NO_ALERT, T + 1_000 * MINUTE);
  const back = judged(rule, lost, state, T);
  expect(back.crossings).toEqual([]);
  expect(judged(rule, lost, back.state, T + MINUTE).crossings).toEqual([]);
  expect(judged(rule, lost, back.state, T + 2 * MINUTE).crossings).toHaveLength(1);
});

it("each audit that differs fires once, however long its report is among the last", () => {
  const audit = (id: string, outcome: "equal" | "differences" | "repaired" | "not-comparable") => {
    return { id, outcome, cellsDiffering: 1, fromMs: T, toMs: T + MINUTE };
  };
  const rule: AlertRule = { name: "a", kind: "audit-differs" };
  const [equal, differs, repaired] = [audit("1", "equal"), audit("2", "differences"), audit("3", "repaired")];
  const looks = [[equal], [differs, equal], [repaired, differs, equal], [audit("4", "not-comparable"), repaired]];
  expect(
    fires(
      rule,
      looks.map((reports) => ({ kind: "audits", reports })),
    ),
  ).toEqual([
    [1, "2"],
    [2, "3"],
    [3, "4"],
  ]);
});

it("books that do not balance fire once for all minutes together, when one of them has lasted", () => {
  const rule: AlertRule = { name: "u", kind: "unbalanced", minutes: 2 };
  const looks = [[1], [2], [3], [3, 4], [3, 4], [4, 5], [4, 5], [], [6], [6], [6]];
  // 3 has lasted at look 4; 4 takes over at look 5; all is well at look 7; 6 has lasted at look 10.
  expect(
    fires(
      rule,
      looks.map((minutes) => ({ kind: "unbalanced", minutes })),
    ),
  ).toEqual([
    [4, ""],
    [10, ""],
  ]);
});

it("dead letters of a reason fire when enough of them wait", () => {
  const rule: AlertRule = { name: "d", kind: "dead-letters", reason: "bad-value", waiting: 3 };
  expect(
    fires(
      rule,
      [2, 3, 3, 0, 3].map((waiting) => ({ kind: "letters", waiting })),
    ),
  ).toEqual([
    [1, ""],
    [4, ""],
  ]);
});

it("the reading of another kind of rule is a bug, and is told", () => {
  expect(() => judged(VIDEO, { kind: "letters", waiting: 1 }, NO_ALERT, T)).toThrow(RangeError);
});

it("says in words of whom a rate is, what an audit looked at, and how many minutes do not balance", () => {
  const detailOf = (rule: AlertRule, reading: AlertReading) =>
    judged(rule, reading, NO_ALERT, T).crossings.map(({ detail }) => detail);
  const rate: AlertRule = { name: "r", kind: "rate", minutes: 5, above: 2, least: 1 };
  const counted: AlertReading = { kind: "rate", endMs: T, count: 9, before: [2, 3] };
  const said = (whose: string, events = "events") => [
    expect.stringMatching(
      new RegExp(`^${whose}: 9 ${events} in 5 minutes before 2026-11-21T10:00.*, and 2\\.5 in the same`),
    ),
  ];
  expect(detailOf(rate, counted)).toEqual(said("all"));
  expect(detailOf({ ...rate, videoId: "v", eventType: "LIKE" }, counted)).toEqual(said("video v", "LIKE"));
  expect(detailOf({ ...rate, channelId: "c" }, counted)).toEqual(said("channel c"));
  const audit = (toMs: number): AlertReading => ({
    ...{ kind: "audits", reports: [{ id: "a", outcome: "differences", cellsDiffering: 3, fromMs: T, toMs }] },
  });
  const differs: AlertRule = { name: "d", kind: "audit-differs" };
  expect(detailOf(differs, audit(T))).toEqual(["audit a of the totals: differences, 3 cells differ"]);
  expect(detailOf(differs, audit(T + MINUTE))).toEqual([
    expect.stringMatching(/^audit a of 2026-11-21T10:00\S* to 2026-11-21T10:01\S*: differences, 3 cells differ$/),
  ]);
  const unbalanced: AlertRule = { name: "u", kind: "unbalanced", minutes: 0 };
  const minutes = (n: number): AlertReading => ({
    ...{ kind: "unbalanced", minutes: Array.from({ length: n }, (_, at) => T / MINUTE + at) },
  });
  expect(detailOf(unbalanced, minutes(1))).toEqual([
    expect.stringMatching(/^a minute does not balance, the first 2026/),
  ]);
  expect(detailOf(unbalanced, minutes(3))).toEqual([
    expect.stringMatching(/^3 minutes do not balance, the first 2026/),
  ]);
  expect(detailOf(unbalanced, minutes(0))).toEqual([]);
});
