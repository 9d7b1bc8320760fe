// SPDX-License-Identifier: Apache-2.0
import { untilDue } from "../../../bench/load/latencies";

test("a latency counts from when a request was due, and from its sending where that is before", async () => {
  for (const fromNowMs of [-50, 0.5, 0.9, 3]) {
    const dueMs = performance.now() + fromNowMs;
    const sinceMs = await untilDue(dueMs);
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(0);
    expect(sinceMs).toBeLessThanOrEqual(dueMs);
    if (fromNowMs < 0) expect(sinceMs).toBe(dueMs);
  }
});
