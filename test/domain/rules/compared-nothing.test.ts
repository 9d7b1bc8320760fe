// SPDX-License-Identifier: Apache-2.0
import { hasComparedNothing } from "../../../domain/rules/compared-nothing";

test.each([
  ["equal", 0, 0, true],
  ["equal", 1, 0, false],
  ["equal", 0, 1, false],
  ["repaired", 0, 0, false],
  ["differences", 0, 0, false],
  ["not-comparable", 0, 0, false],
])("%s over %i events and %i cells: %s", (outcome, events, cellsCompared, expected) => {
  expect(hasComparedNothing({ outcome, events, cellsCompared })).toBe(expected);
});
