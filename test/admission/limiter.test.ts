// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { dayQuota, KeyBuckets, Limiter, quotaExceeded } from "../../admission/limiter";

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

it("a client far beyond its limit gets the same refusal again, for as long as all that it says is right", () => {
  const buckets = new KeyBuckets({ requestsPerSecond: 0.5, eventsPerSecond: 1_000 }, 0);
  expect(buckets.enter(0)).toBeUndefined();
  const first = buckets.enter(10);
  expect(first?.headers).toMatchObject({ "Retry-After": "2" });
  expect(buckets.enter(109)).toBe(first);
  expect(buckets.enter(110)).not.toBe(first);
  expect(buckets.enter(990)?.headers["Retry-After"]).toBe("2");
  expect(buckets.enter(1_001)?.headers["Retry-After"]).toBe("1");
  const late = buckets.enter(1_990);
  expect(late).toBeDefined();
  expect(buckets.enter(1_999)).toBe(late);
  expect(buckets.enter(2_001)).toBeUndefined();
});

it("a payment that is taken back opens the bucket at once", () => {
  const buckets = new KeyBuckets({ eventsPerSecond: 10 }, 0);
  expect(buckets.settle(100, 1, 0)).toBeUndefined();
  expect(buckets.enter(0)).toBeDefined();
  buckets.giveBack(100, 1);
  expect(buckets.enter(1)).toBeUndefined();
});

it("refuses exactly those requests that find a bucket in debt", () => {
  const ask = fc.record({ afterMs: fc.integer({ min: 0, max: 120 }), events: fc.integer({ min: 0, max: 40 }) });
  const rates = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(fc.array(ask, { minLength: 1, maxLength: 300 }), rates, rates, (asks, requests, events) => {
      const buckets = new KeyBuckets({ requestsPerSecond: requests, eventsPerSecond: events }, 0);
      const model = { requests: requests * 2, events: events * 2 };
      let nowMs = 0;
      for (const { afterMs, events: sent } of asks) {
        nowMs += afterMs;
        model.requests = Math.min(requests * 2, model.requests + (requests * afterMs) / 1000);
        model.events = Math.min(events * 2, model.events + (events * afterMs) / 1000);
        const isTie = Math.abs(model.requests - 1) < 1e-6 || Math.abs(model.events) < 1e-6;
        const isAdmitted = buckets.enter(nowMs) === undefined;
        if (!isTie) expect(isAdmitted).toBe(model.requests >= 1 && model.events > 0);
        if (!isAdmitted) continue;
        model.requests--;
        expect(buckets.settle(sent, 1, nowMs)).toBeUndefined();
        model.events -= sent;
      }
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

it("a key is in debt for as long as its batch takes, however long it sends nothing", () => {
  const limiter = new Limiter({ eventsPerSecond: 1 });
  const enter = (nowMs: number) => limiter.bucketsOf("a", {}, nowMs).enter(nowMs);
  expect(enter(0)).toBeUndefined();
  expect(limiter.bucketsOf("a", {}, 0).settle(10_000, 1, 0)).toBeUndefined();
  for (const nowMs of [61_000, 200_000, 9_990_000]) expect(enter(nowMs)?.headers["Retry-After"]).toBeDefined();
  limiter.bucketsOf("b", {}, 9_995_000);
  expect(enter(10_000_000)).toBeUndefined();
});

it("the fields name every bucket, with what is left in it now; without limits there are none", () => {
  const buckets = new KeyBuckets({ requestsPerSecond: 10, eventsPerSecond: 0.1, bytesPerSecond: 1_000 }, 0);
  const left = (nowMs: number) => buckets.headers(nowMs).RateLimit;
  expect(buckets.headers(0)).toEqual({
    "RateLimit-Policy": '"requests";q=20;w=2, "events";q=1;w=10;qu="events", "bytes";q=2000;w=2;qu="content-bytes"',
    RateLimit: '"requests";r=20;t=0, "events";r=1;t=0, "bytes";r=2000;t=0',
  });
  expect(buckets.enter(0)).toBeUndefined();
  expect(buckets.settle(1, 500, 0)).toBeUndefined();
  expect(left(0)).toBe('"requests";r=19;t=0, "events";r=0;t=10, "bytes";r=1500;t=0');
  expect(left(200)).toBe('"requests";r=20;t=0, "events";r=0;t=10, "bytes";r=1700;t=0');
  expect(new KeyBuckets({ eventsPerDay: 5 }, 0).headers(0)).toEqual({});
});

it("events and bytes are let in while anything is left of either, and the longer wait is named", () => {
  const buckets = new KeyBuckets({ eventsPerSecond: 10, bytesPerSecond: 100 }, 0);
  expect(buckets.settle(20, 1, 0)).toBeUndefined();
  const refusal = { kind: "rate-limited", detail: "the key may use 10 events a second" };
  expect(buckets.enter(0)).toMatchObject(refusal);
  expect(buckets.settle(1, 1, 0)).toMatchObject(refusal);
  expect(buckets.enter(50)).toBeUndefined();
  expect(buckets.settle(25, 600, 50)).toBeUndefined();
  expect(buckets.enter(50)).toMatchObject({
    detail: "the key may use 100 bytes a second",
    headers: { "Retry-After": "5" },
  });
  expect(buckets.settle(1, 1, 50)).toMatchObject({ headers: { "Retry-After": "5" } });
  buckets.giveBack(0, 100);
  expect(buckets.enter(50)).toMatchObject({ headers: { "Retry-After": "4" } });
  buckets.giveBack(0, 500);
  expect(buckets.enter(50)).toMatchObject({ detail: "the key may use 10 events a second" });
  buckets.giveBack(25, 0);
  expect(buckets.enter(50)).toBeUndefined();
  const alike = new KeyBuckets({ eventsPerSecond: 10, bytesPerSecond: 10 }, 0);
  expect(alike.settle(20, 20, 0)).toBeUndefined();
  expect(alike.enter(0)).toMatchObject({ detail: "the key may use 10 events a second" });
  const late = new KeyBuckets({ eventsPerSecond: 1, bytesPerSecond: 100 }, 0);
  expect(late.settle(20, 300, 0)).toBeUndefined();
  expect(late.enter(0)).toMatchObject({
    detail: "the key may use 1 events a second",
    headers: { "Retry-After": "19" },
  });
});

it("the buckets of a key that was used within the last minute are kept", () => {
  const limiter = new Limiter({});
  const used = limiter.bucketsOf("a", { requestsPerSecond: 1 }, 60_000);
  limiter.bucketsOf("b", {}, 120_000);
  expect(limiter.bucketsOf("a", {}, 120_000)).toBe(used);
});

it("a daily quota is told as one more policy, and refused until the day ends", () => {
  const day = dayQuota(5, 7, Date.parse("2026-11-21T23:59:59.999Z"));
  expect(day).toEqual({ eventsPerDay: 5, left: 0, seconds: 1 });
  expect(dayQuota(5, 2, Date.parse("2026-11-21T10:00:00Z"))).toEqual({ eventsPerDay: 5, left: 3, seconds: 14 * 3600 });
  const only = new KeyBuckets({ eventsPerDay: 5 }, 0).headers(0, day);
  expect(only).toEqual({ "RateLimit-Policy": '"day";q=5;w=86400;qu="events"', RateLimit: '"day";r=0;t=1' });
  expect(new KeyBuckets({ requestsPerSecond: 1 }, 0).headers(0, day)).toEqual({
    "RateLimit-Policy": '"requests";q=2;w=2, "day";q=5;w=86400;qu="events"',
    RateLimit: '"requests";r=2;t=0, "day";r=0;t=1',
  });
  expect(quotaExceeded(day, only)).toEqual({
    ...{ kind: "quota-exceeded", status: 429, detail: "the key may send 5 events a day (UTC)" },
    headers: { "Retry-After": "1", ...only },
  });
});

it("a refusal by a rate tells the day, too", () => {
  const buckets = new KeyBuckets({ requestsPerSecond: 1, eventsPerSecond: 1 }, 0);
  const readDay = () => dayQuota(5, 2, 0);
  expect(buckets.settle(10, 1, 0, readDay)).toBeUndefined();
  for (const refusal of [buckets.settle(1, 1, 0, readDay), buckets.enter(0, readDay)])
    expect(refusal?.headers).toMatchObject({ RateLimit: expect.stringMatching(/, "day";r=3;t=86400$/) });
});
