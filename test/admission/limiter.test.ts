// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { KeyBuckets, Limiter } from "../../admission/limiter";

it("lets the rate through after a burst, and says when to come again", () => {
  const buckets = new KeyBuckets({ requestsPerSecond: 10 }, 0);
  let admitted = 0;
  while (buckets.enter(0) === undefined) admitted++;
  expect(admitted).toBe(20);
  expect(buckets.enter(0)).toMatchObject({
    status: 429,
    headers: { "Retry-After": "1", "RateLimit-Policy": '"requests";q=20;w=2', RateLimit: '"requests";r=0;t=1' },
  });
  expect(buckets.enter(100)).toBeUndefined();
  expect(buckets.enter(150)).toBeDefined();
});

it("a key that may ask less often than every other second is let in as often as it may", () => {
  const buckets = new KeyBuckets({ requestsPerSecond: 0.1 }, 0);
  expect(buckets.enter(0)).toBeUndefined();
  expect(buckets.enter(0)).toMatchObject({
    headers: { "Retry-After": "10", "RateLimit-Policy": '"requests";q=1;w=10', RateLimit: '"requests";r=0;t=10' },
  });
  expect(buckets.enter(9_900)).toBeDefined();
  expect(buckets.enter(10_000)).toBeUndefined();
});

it("a batch larger than a bucket passes, and is paid for afterwards", () => {
  const buckets = new KeyBuckets({ eventsPerSecond: 10, bytesPerSecond: 1_000_000 }, 0);
  expect(buckets.enter(0)).toBeUndefined();
  expect(buckets.settle(100, 5, 0)).toBeUndefined();
  expect(buckets.enter(0)).toMatchObject({ headers: { "Retry-After": "9" } });
  expect(buckets.enter(7_900)).toBeDefined();
  expect(buckets.enter(8_100)).toBeUndefined();
});

it("of requests side by side the first pays, and those that find the bucket in debt are refused", () => {
  const buckets = new KeyBuckets({ eventsPerSecond: 10 }, 0);
  for (let n = 0; n < 3; n++) expect(buckets.enter(0)).toBeUndefined();
  expect(buckets.settle(100, 1, 0)).toBeUndefined();
  expect(buckets.settle(100, 1, 0)).toMatchObject({ kind: "rate-limited" });
  buckets.giveBack(100, 1);
  expect(buckets.settle(100, 1, 0)).toBeUndefined();
});

it("over any stretch of time no more passes than the rate, the burst and one batch", () => {
  const asks = fc.array(
    fc.record({ afterMs: fc.integer({ min: 0, max: 500 }), events: fc.integer({ min: 1, max: 300 }) }),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 1_000 }), (requests, rate) => {
      const buckets = new KeyBuckets({ eventsPerSecond: rate }, 0);
      let [nowMs, passed, largest] = [0, 0, 0];
      for (const { afterMs, events } of requests) {
        nowMs += afterMs;
        if (buckets.enter(nowMs) !== undefined) continue;
        expect(buckets.settle(events, 1, nowMs)).toBeUndefined();
        passed += events;
        largest = Math.max(largest, events);
      }
      expect(passed).toBeLessThanOrEqual(rate * (2 + nowMs / 1000) + largest + 1e-6);
      // A client that waits for the stated time is admitted.
      const refusal = buckets.enter(nowMs);
      if (refusal !== undefined)
        expect(buckets.enter(nowMs + Number(refusal.headers["Retry-After"]) * 1000)).toBeUndefined();
    }),
  );
});

it("a key's own limits stand before the deployment's, and buckets of silent keys are forgotten", () => {
  const limiter = new Limiter({ requestsPerSecond: 1, eventsPerDay: 5 });
  const own = limiter.bucketsOf("a", { requestsPerSecond: 100 }, 0);
  expect(own.limits).toEqual({ requestsPerSecond: 100, eventsPerDay: 5 });
  expect(limiter.bucketsOf("a", {}, 10)).toBe(own);
  expect(limiter.bucketsOf("a", {}, 200_000)).not.toBe(own);
});
