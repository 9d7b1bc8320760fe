// SPDX-License-Identifier: Apache-2.0
/** Requests whose every event is in another minute delay no other request. */

import { minuteOf } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { cleanUp, Service, until, type Video } from "./service";

const REQUESTS = 2;
const MINUTES = 1_500;
const JSON_TYPE = { "content-type": "application/json" };

afterEach(cleanUp, 60_000);

test("an event of now is counted long before requests of thousands of minutes each that came before it", async () => {
  const service = await Service.start();
  const now = minuteOf(Date.now()) * MINUTE_MS;
  const bodies = Array.from({ length: REQUESTS }, (_, n) =>
    JSON.stringify(
      Array.from({ length: MINUTES }, (__, minute) => ({
        eventId: `old-${n}-${minute}`,
        videoId: "old",
        eventType: "VIEW",
        eventTime: now - (minute + 1) * MINUTE_MS,
      })),
    ),
  );
  const event = (eventId: string) => JSON.stringify({ eventId, videoId: "now", eventType: "VIEW", eventTime: now });
  const probe = async (eventId: string, expected: number): Promise<Video> => {
    await service.deliver({ headers: JSON_TYPE, bytes: event(eventId) });
    return until(
      "the event of now is counted",
      async () => {
        const video = await service.get<Video>("/v1/videos/now");
        return video.totals.VIEW?.count === expected && video;
      },
      60_000,
    );
  };
  await probe("warm", 1);
  const beforeMs = Date.now();
  for (const bytes of bodies)
    expect(await service.deliver({ headers: JSON_TYPE, bytes })).toMatchObject({ accepted: MINUTES, rejected: [] });
  const acceptedMs = Date.now();
  const { completeThrough } = await probe("probe", 2);
  // Not only soon: before the others, of which nothing is passed over meanwhile.
  expect(Date.parse(completeThrough)).toBeGreaterThanOrEqual(beforeMs - 60_000);
  expect(Date.parse(completeThrough)).toBeLessThanOrEqual(acceptedMs);
  await service.counted(120_000);
  expect(await service.total("old")).toBe(REQUESTS * MINUTES);
  const { totals } = await service.ledger(now - (MINUTES + 1) * MINUTE_MS, now + MINUTE_MS);
  expect(totals).toMatchObject({ accepted: REQUESTS * MINUTES + 2, balanced: true });
  const restarts = service.log.filter(({ msg }) => msg === "stream process ended, restarting");
  expect(restarts).toEqual([]);
}, 240_000);
