// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { bucketState } from "../../../domain/rules/bucket-state";
import {
  ALL_FINAL,
  FINAL_SLACK_MS,
  finalBeforeMinute,
  finalBeforeMs,
  isFinal,
  isFinalMinute,
  isLate,
  NO_LATENESS,
} from "../../../domain/rules/lateness";
import { MINUTE_MS } from "../../../domain/rules/time";

const minute = fc.integer({ min: -1_000, max: 1_000 });
const within = fc.integer({ min: 0, max: MINUTE_MS - 1 });
const lateness = fc.integer({ min: 0, max: 10 * MINUTE_MS });

test("an event is late when it is received more than the allowed lateness after its time", () => {
  expect(isLate(0, 60_000, 60_000)).toBe(false);
  expect(isLate(0, 60_001, 60_000)).toBe(true);
  expect(isLate(5_000, 0, 0)).toBe(false);
  fc.assert(fc.property(fc.integer(), fc.integer(), (time, received) => !isLate(time, received, NO_LATENESS)));
});

test("an event of a minute that is final to an audit is late, with the slack to spare", () => {
  fc.assert(
    fc.property(minute, within, lateness, fc.integer({ max: 1e8, min: -1e8 }), (at, ms, allowed, archivedMs) => {
      fc.pre(isFinalMinute(at, finalBeforeMs(archivedMs, allowed)));
      expect(isLate(at * MINUTE_MS + ms, archivedMs - FINAL_SLACK_MS, allowed)).toBe(true);
    }),
  );
});

test("without a lateness rule every minute is final to an audit", () => {
  expect(finalBeforeMs(0, NO_LATENESS)).toBe(ALL_FINAL);
  fc.assert(fc.property(minute, (at) => isFinalMinute(at, ALL_FINAL)));
});

test("writers and readers call the same minutes final", () => {
  fc.assert(
    fc.property(minute, fc.integer({ min: -1e8, max: 1e8 }), lateness, (at, throughMs, finalAfterMs) => {
      const endMs = (at + 1) * MINUTE_MS;
      const final = at < finalBeforeMinute(throughMs, finalAfterMs);
      expect(isFinal(endMs, throughMs, finalAfterMs)).toBe(final);
      const state = bucketState(endMs, false, throughMs, { finalAfterMs, rawRetentionMs: 1e9 });
      expect(state).toBe(final ? "final" : "provisional");
    }),
  );
});
