// SPDX-License-Identifier: Apache-2.0
import { sharedFreshness } from "../../query-api";
import { NOW_MS, QueryHarness } from "./query-harness";

let harness: QueryHarness;
beforeEach(async () => {
  harness = await QueryHarness.start();
});
afterEach(() => harness.stop());

test("completeness is asked for once a while, and never tells more than is complete", async () => {
  let now = 0;
  const shared = sharedFreshness(harness.progress, 20, () => now);
  expect(await shared.completeThroughMs(NOW_MS)).toBe(NOW_MS);
  now = 19;
  expect(await shared.completeThroughMs(NOW_MS + 19)).toBe(NOW_MS);
  now = 20;
  expect(await shared.completeThroughMs(NOW_MS + 20)).toBe(NOW_MS + 20);
});
