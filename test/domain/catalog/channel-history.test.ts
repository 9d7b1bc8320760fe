// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  type ChannelPoint,
  changed,
  channelAt,
  FIRST_MINUTE,
  hasUnknownMinutes,
  MAX_POINTS,
  UNKNOWN_CHANNEL,
} from "../../../domain/catalog/channel-history";

const NOW = 20;
const MINUTES = Array.from({ length: 45 }, (_, n) => n);
const channel = fc.constantFrom("a", "b", UNKNOWN_CHANNEL);
const change = fc.record(
  { channelId: channel, fromMinute: fc.integer({ min: -3, max: 40 }) },
  { requiredKeys: ["channelId"] },
);

test("a change holds from its minute until the next point that is known, and touches no other minute", () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 8 }),
      fc.record({ channelId: channel, fromMinute: fc.nat(40) }),
      (past, next) => {
        const before = past.reduce<readonly ChannelPoint[]>((history, each) => changed(history, each, NOW), []);
        const kept = structuredClone(before);
        const after = changed(before, next, NOW);
        expect(before).toEqual(kept);
        const until =
          before.find(({ fromMinute }) => fromMinute > next.fromMinute)?.fromMinute ?? Number.POSITIVE_INFINITY;
        for (const minute of MINUTES) {
          const isOfChange = minute >= next.fromMinute && minute < until;
          expect(channelAt(after, minute)).toBe(isOfChange ? next.channelId : channelAt(before, minute));
        }
        const points = after.map(({ fromMinute }) => fromMinute);
        expect(points).toEqual([...new Set(points)].sort((a, b) => a - b));
      },
    ),
  );
});

test("changes with minutes of their own give the same history in any order", () => {
  const changes = fc.uniqueArray(fc.record({ channelId: channel, fromMinute: fc.nat(40) }), {
    selector: ({ fromMinute }) => fromMinute,
  });
  fc.assert(
    fc.property(
      changes.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
      ([one, other]) => {
        const after = (list: typeof one) =>
          list.reduce<readonly ChannelPoint[]>((history, each) => changed(history, each, NOW), []);
        expect(after(other)).toEqual(after(one));
      },
    ),
  );
});

test("the first channel that is said of a video holds for all of its past, a later one from the next minute on", () => {
  const first = changed([], { channelId: "a" }, NOW);
  expect(first).toEqual([{ fromMinute: FIRST_MINUTE, channelId: "a" }]);
  const second = changed(first, { channelId: "b" }, NOW);
  expect(second).toEqual([...first, { fromMinute: NOW + 1, channelId: "b" }]);
  expect(changed(second, { channelId: UNKNOWN_CHANNEL }, NOW + 5)).toEqual([
    ...second,
    { fromMinute: NOW + 6, channelId: UNKNOWN_CHANNEL },
  ]);
});

test("what is known already changes nothing: the history is the same one", () => {
  const history = changed([], { channelId: "a", fromMinute: 5 }, NOW);
  expect(changed(history, { channelId: "a", fromMinute: 5 }, NOW)).toBe(history);
  expect(changed(history, { channelId: "a" }, NOW)).toBe(history);
  // The minute after now has the channel already: by a point of this minute, or by one that was said to come.
  for (const fromMinute of [NOW, NOW + 1]) {
    const known = changed(history, { channelId: "b", fromMinute }, NOW);
    expect(changed(known, { channelId: "b" }, NOW)).toBe(known);
  }
  const empty: ChannelPoint[] = [];
  expect(changed(empty, { channelId: UNKNOWN_CHANNEL }, NOW)).toBe(empty);
});

test("before the first point, and without one, the channel is unknown; a change before every event is of the first minute", () => {
  expect(channelAt([], 5)).toBe(UNKNOWN_CHANNEL);
  expect(channelAt([{ fromMinute: 5, channelId: "a" }], 4)).toBe(UNKNOWN_CHANNEL);
  expect(channelAt([{ fromMinute: 5, channelId: "a" }], 5)).toBe("a");
  expect(changed([], { channelId: "a", fromMinute: -7 }, NOW)).toEqual([{ fromMinute: FIRST_MINUTE, channelId: "a" }]);
});

test("a history has at most so many points", () => {
  let history: readonly ChannelPoint[] = [];
  for (let n = 0; n < MAX_POINTS; n++) history = changed(history, { channelId: `c${n}`, fromMinute: n }, NOW);
  expect(history).toHaveLength(MAX_POINTS);
  expect(() => changed(history, { channelId: "x", fromMinute: MAX_POINTS }, NOW)).toThrow(/at most 200 times/);
  expect(changed(history, { channelId: "x", fromMinute: 7 }, NOW)).toHaveLength(MAX_POINTS);
});

test("a video has unknown minutes where no channel is stated, one begins later, or one is unknown again", () => {
  expect(hasUnknownMinutes([])).toBe(true);
  expect(hasUnknownMinutes([{ fromMinute: FIRST_MINUTE, channelId: "c" }])).toBe(false);
  expect(hasUnknownMinutes([{ fromMinute: FIRST_MINUTE + 1, channelId: "c" }])).toBe(true);
  const later = { fromMinute: FIRST_MINUTE + 5, channelId: "d" };
  expect(hasUnknownMinutes([{ fromMinute: FIRST_MINUTE, channelId: "c" }, later])).toBe(false);
  expect(
    hasUnknownMinutes([
      { fromMinute: FIRST_MINUTE, channelId: "c" },
      { ...later, channelId: UNKNOWN_CHANNEL },
    ]),
  ).toBe(true);
});
