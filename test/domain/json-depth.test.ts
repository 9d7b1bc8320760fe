// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { nestsDeeperThan } from "../../domain/json-depth";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("the depth of a JSON text is that of its value, for text and for bytes", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(9), (value, maxDepth) => {
      const text = JSON.stringify(value);
      const deeper = depthOf(value) > maxDepth;
      expect(nestsDeeperThan(text, maxDepth)).toBe(deeper);
      expect(nestsDeeperThan(Buffer.from(text), maxDepth)).toBe(deeper);
    }),
  );
});

test.each([
  ["[[]]", 2],
  ['{"a":[]}', 2],
  ['["[[[["]', 1],
  ['["\\"[[["]', 1],
  ['["\\\\",[]]', 2],
  ['{"[[":"]]"}', 1],
  ["[],[],[]", 1],
  ["[{}][{}]", 2],
])("%s has %d levels", (text, levels) => {
  expect(nestsDeeperThan(text, levels)).toBe(false);
  expect(nestsDeeperThan(text, levels - 1)).toBe(true);
});

test("a text that is no JSON has the depth of its brackets, closed or not", () => {
  expect(nestsDeeperThan("[".repeat(501), 500)).toBe(true);
  expect(nestsDeeperThan("[".repeat(500), 500)).toBe(false);
  expect(nestsDeeperThan("{[{[", 3)).toBe(true);
  // A closing bracket too many does not make room for opening ones that nest.
  expect(nestsDeeperThan('"[[[', 1)).toBe(false);
});
