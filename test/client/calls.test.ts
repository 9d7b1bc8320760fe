// SPDX-License-Identifier: Apache-2.0
/** What each call of the client fails with, and what a flush leaves behind: no timer, and the same linger as before. */
import { EventError, EventsError, ViewmillClient } from "../../client/index";

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-21T10:00:00Z") }));
afterEach(() => void vi.useRealTimers());

function client() {
  const sent: unknown[][] = [];
  const fetch = (async (_url: string, init: RequestInit) => {
    const events = JSON.parse(new TextDecoder().decode(init.body as Uint8Array)) as unknown[];
    sent.push(events);
    return new Response(JSON.stringify({ accepted: events.length, rejected: [] }), { status: 202 });
  }) as typeof globalThis.fetch;
  return { sent, made: new ViewmillClient({ url: "http://h", compression: "none", lingerMs: 50, fetch }) };
}

test("calls of one event fail with its error, calls of a list with an error of the list", async () => {
  const { made } = client();
  const one = [
    made.countViewEvent(7 as never),
    made.countEvent(7 as never, "LIKE"),
    made.processEvent(7 as never, "LIKE", "COUNT"),
  ];
  for (const call of one) await expect(call).rejects.toBeInstanceOf(EventError);
  await expect(made.processEvents([{ videoId: 7 as never, eventType: "LIKE" }])).rejects.toBeInstanceOf(EventsError);
  const throwing = new Proxy([], {
    get: () => {
      throw new Error("no");
    },
  });
  for (const [events, detail] of [
    ["x", "an array of events is wanted"],
    [throwing, "the events cannot be read: no"],
  ] as const) {
    const error = await made.processEvents(events as never).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EventsError);
    expect((error as EventsError).rejected).toMatchObject([{ reason: "bad-event", detail, index: 0 }]);
  }
});

test("a flush leaves no timer, and the events after it wait for others as before", async () => {
  const { made, sent } = client();
  const first = made.processEvent("v", "LIKE", "SUM", 3);
  expect(await made.flush()).toEqual({ unanswered: 0 });
  await first;
  expect([sent.length, vi.getTimerCount()]).toEqual([1, 0]);
  expect(sent[0]).toMatchObject([{ videoId: "v", eventType: "LIKE", value: 3 }]);
  const second = made.countEvent("v", "LIKE");
  await vi.advanceTimersByTimeAsync(40);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(20);
  await second;
  expect(sent).toHaveLength(2);
  expect(await made.close()).toEqual({ unanswered: 0 });
});
