// SPDX-License-Identifier: Apache-2.0
/** Deadlines that tests give are scaled for slow machines, however they are given (test/deadlines-setup.ts). */
import { deadline, slowness } from "../deadline";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

afterAll(() => pause(20), 1);
beforeAll(() => pause(20), 1);

test("of a number", () => pause(20), 1);
test("of an option", { timeout: 1 }, () => pause(20));
test.each([[1], [2]])(
  "of a table, %s",
  async (n) => {
    await pause(20);
    expect([1, 2]).toContain(n);
  },
  1,
);
describe("in a group", { timeout: 1 }, () => {
  it("of the group's option", () => pause(20));
});
test("of a table whose entries are numbers", () => {
  const seen: number[] = [];
  const table = [3, 4];
  for (const n of table) seen.push(n);
  expect(seen).toEqual([3, 4]);
});
test("of a wait", async () => {
  const readyAt = performance.now() + 20;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(readyAt), 1);
  const laterAt = performance.now() + 20;
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(laterAt), { timeout: 1, interval: 1 });
});

test("a deadline is at least a minute, and five times what is given", () => {
  expect([deadline(1), deadline(60_000)]).toEqual([60_000, 300_000]);
  expect(slowness()).toBeGreaterThanOrEqual(1);
});
