// SPDX-License-Identifier: Apache-2.0
import { columnar, DAY_MS, type Event, event, HOUR_MS, json, MINUTE_MS } from "./events";
import { cleanUp, Service, until, type Video } from "./service";

afterEach(cleanUp);

interface Counts {
  count: number;
  buckets: { start: string; count: number; state: "provisional" | "final" | "audited"; revision?: number }[];
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const startOf = (timeMs: number, lengthMs: number): number => Math.floor(timeMs / lengthMs) * lengthMs;

async function bucket(service: Service, startMs: number, granularity: "minute" | "hour" | "day") {
  const end = iso(startMs + { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS }[granularity]);
  const query = `eventType=VIEW&start=${iso(startMs)}&end=${end}&granularity=${granularity}`;
  const { buckets } = await service.get<Counts>(`/v1/videos/video-1/counts?${query}`);
  expect(buckets).toHaveLength(1);
  return buckets[0]!;
}

it("an event 29 days old is counted in its minute, hour, day and total; one of 31 days is a dead letter", async () => {
  const service = await Service.start();
  const eventTime = Date.now() - 29 * DAY_MS;
  expect(await service.deliver(json(event({ eventTime })))).toEqual({ accepted: 1, rejected: [] });
  expect(await service.deliver(json(event({ eventTime: Date.now() - 31 * DAY_MS })))).toMatchObject({
    accepted: 0,
    rejected: [{ reason: "too-old" }],
  });
  await service.counted();
  for (const [granularity, lengthMs] of [
    ["minute", MINUTE_MS],
    ["hour", HOUR_MS],
    ["day", DAY_MS],
  ] as const) {
    const start = startOf(eventTime, lengthMs);
    expect(await bucket(service, start, granularity)).toEqual({
      start: iso(start),
      count: 1,
      state: "final",
      revision: 1,
    });
  }
  expect(await service.total("video-1")).toBe(1);
  const old = await service.ledger(eventTime - HOUR_MS, eventTime + HOUR_MS);
  expect(old.minutes).toEqual([
    {
      start: iso(startOf(eventTime, MINUTE_MS)),
      accepted: 1,
      archived: 1,
      counted: 1,
      duplicate: 0,
      late: 0,
      balanced: true,
    },
  ]);
  expect((await service.ledger(Date.now() - HOUR_MS, Date.now() + MINUTE_MS)).totals.rejected).toBe(1);
});

it("an event of an audited hour re-opens it; the next audit closes it again, by hand or on schedule", async () => {
  const service = await Service.start();
  const hour = startOf(Date.now(), HOUR_MS) - 3 * HOUR_MS;
  const range = ["--from", iso(hour), "--to", iso(hour + HOUR_MS)];
  const late = async (minute: number) => {
    await service.deliver(json(event({ eventTime: hour + minute * MINUTE_MS })));
    await service.counted();
  };
  await late(5);
  await late(40);
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 2, state: "final" });
  expect((await service.audit(...range)).code).toBe(0);
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 2, state: "audited" });

  await late(40);
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 3, state: "final" });
  expect(await bucket(service, hour + 40 * MINUTE_MS, "minute")).toMatchObject({ count: 2, state: "final" });
  expect(await bucket(service, hour + 5 * MINUTE_MS, "minute")).toMatchObject({ count: 1, state: "audited" });
  const again = await service.audit(...range);
  expect({ code: again.code, outcome: again.report.outcome }).toEqual({ code: 0, outcome: "equal" });
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 3, state: "audited" });

  // A minute that was empty when it was audited.
  await late(59);
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 4, state: "final" });
  expect(await service.stop()).toBe(0);
  await service.restart({ VIEWMILL_AUDIT_ENABLED: "true" });
  await until("the schedule audits the hour", async () => (await bucket(service, hour, "hour")).state === "audited");
  expect(await bucket(service, hour, "hour")).toMatchObject({ count: 4 });
  // The hour is marked before the report of its audit is kept.
  const audits = await until("three reports are kept", async () => {
    const kept = await service.get<{ audits: { repair: boolean; from: string; outcome: string }[] }>("/v1/audits");
    return kept.audits.length >= 3 && kept.audits;
  });
  expect(audits).toHaveLength(3);
  expect(audits[0]).toMatchObject({ repair: true, from: iso(hour), outcome: "equal" });
}, 60_000);

it("what comes again after a restart, stopped or killed, counts once", async () => {
  const service = await Service.start();
  const eventTime = Date.now() - 2 * MINUTE_MS;
  const events = Array.from({ length: 500 }, (_, n) => event({ eventTime: eventTime - (n % 3) * MINUTE_MS, value: 1 }));
  await service.deliver(columnar(events));
  await service.counted();
  await service.stop();
  await service.restart();
  await service.deliver(columnar(events));
  await service.counted();
  await service.deliver(columnar(events.map((each) => ({ ...each, value: 3 }) satisfies Event)));
  await service.kill9("service");
  await service.restart();
  await service.deliver(columnar(events.map((each) => ({ ...each, value: 2 }) satisfies Event)));
  await service.counted();
  const { totals } = await service.get<{ totals: Record<string, { count: number; sum: number }> }>(
    "/v1/videos/video-1",
  );
  expect(totals.VIEW).toMatchObject({ count: 500, sum: 1500 });
  expect((await service.ledger(eventTime - HOUR_MS, Date.now() + MINUTE_MS)).totals).toMatchObject({
    accepted: 2000,
    archived: 2000,
    counted: 500,
    duplicate: 1500,
    balanced: true,
  });
}, 60_000);

it("an event without a time, sent again after kill -9, gets the stamp it had and counts once", async () => {
  const service = await Service.start();
  const stampless = json({ eventId: "order-4711", videoId: "video-1", eventType: "VIEW" });
  const stamp = async () => (await service.get<Video>("/v1/videos/video-1")).totals.VIEW?.lastEventAt;
  const startedMs = Date.now();
  await service.deliver(stampless);
  await service.counted();
  const first = await stamp();
  await service.kill9("service");
  await service.restart();
  await service.deliver(stampless);
  await service.kill9("stream");
  await service.deliver(stampless);
  await service.counted();
  // Another stamp would be a later event, and in another minute be counted again.
  expect(await stamp()).toBe(first);
  expect(await service.total("video-1")).toBe(1);
  const { minutes } = await service.ledger(startedMs - HOUR_MS, Date.now() + MINUTE_MS);
  expect(minutes).toMatchObject([{ accepted: 3, counted: 1, duplicate: 2, balanced: true }]);
}, 60_000);

it("an event without a time whose id is a UUIDv7 is counted in the id's minute", async () => {
  const service = await Service.start();
  const eventTime = Date.now() - 2 * DAY_MS;
  const hex = eventTime.toString(16).padStart(12, "0");
  const eventId = `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8123-0123456789ab`;
  await service.deliver(json({ eventId, videoId: "video-1", eventType: "VIEW" }));
  await service.deliver(json({ eventId, videoId: "video-1", eventType: "VIEW", eventTime }));
  await service.counted();
  expect(await bucket(service, startOf(eventTime, MINUTE_MS), "minute")).toMatchObject({ count: 1 });
  expect(await service.total("video-1")).toBe(1);
});
