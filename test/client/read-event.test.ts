// SPDX-License-Identifier: Apache-2.0
/** The check of an event before it is queued, field by field; and the words of what was thrown. */
import { EventError, EventsError } from "../../client/errors";
import { messageOf } from "../../client/message-of";
import { readEvent } from "../../client/read-event";

const NOW = Date.parse("2026-11-21T10:00:00Z");
const EVENT = { videoId: "v", eventType: "VIEW", eventId: "a" };
const read = (value: unknown, maxChars = 1_000) => readEvent(value, NOW, maxChars);
const timeOf = (eventId: string) => Number.parseInt(eventId.replaceAll("-", "").slice(0, 12), 16);

test.each<[string, unknown, string | null, string, string]>([
  ["null", null, null, "bad-event", "an event is an object, not null"],
  ["a text", "x", null, "bad-event", "an event is an object, not a value of type string"],
  ["nothing", undefined, null, "bad-event", "an event is an object, not a value of type undefined"],
  ["a number as id", { ...EVENT, eventId: 7 }, null, "bad-event-id", "eventId must be a string"],
  ["no video", { ...EVENT, videoId: undefined }, "a", "bad-video-id", "videoId must be a string"],
  ["a number as type", { ...EVENT, eventType: 1 }, "a", "bad-event-type", "eventType must be a string"],
  [
    "a text as time",
    { ...EVENT, eventTime: "now" },
    "a",
    "bad-event-time",
    "eventTime must be a Date or epoch milliseconds",
  ],
  [
    "no time",
    { ...EVENT, eventTime: new Date(Number.NaN) },
    "a",
    "bad-event-time",
    "eventTime must be a Date or epoch milliseconds",
  ],
  [
    "endless time",
    { ...EVENT, eventTime: Number.POSITIVE_INFINITY },
    "a",
    "bad-event-time",
    "eventTime must be a Date or epoch milliseconds",
  ],
  ["another function", { ...EVENT, function: "MAX" }, "a", "bad-event", "function must be COUNT, SUM or AVERAGE"],
  ["a fraction", { ...EVENT, value: 1.5 }, "a", "bad-value", "value must be an integer, |value| <= 2^53-1"],
  ["a large value", { ...EVENT, value: 2 ** 53 }, "a", "bad-value", "value must be an integer, |value| <= 2^53-1"],
  ["a value to count", { ...EVENT, function: "COUNT", value: 1 }, "a", "bad-value", "COUNT takes no value"],
  ["nothing to sum", { ...EVENT, function: "SUM" }, "a", "bad-value", "SUM needs a value"],
  ["nothing to average", { ...EVENT, function: "AVERAGE" }, "a", "bad-value", "AVERAGE needs a value"],
])("%s is refused under the event's id, and says why", (_what, value, eventId, reason, detail) => {
  expect(read(value)).toEqual({ eventId, problem: { reason, detail } });
});

test("what throws while it is read is refused with the words of the error, of which 500 characters", () => {
  const throwing = (thrown: unknown) => ({
    ...EVENT,
    get videoId() {
      throw thrown;
    },
  });
  const detail = (thrown: unknown) => read(throwing(thrown)).problem?.detail;
  expect(detail(new Error("no"))).toBe("the event cannot be read: no");
  expect(detail(new Error("no", { cause: new Error("why") }))).toBe("the event cannot be read: no: why");
  expect(detail(new Error("no", { cause: "why" }))).toBe("the event cannot be read: no");
  expect(detail("x")).toBe("the event cannot be read: x");
  expect(detail(Object.create(null))).toBe("the event cannot be read: something without words was thrown");
  for (const long of ["x".repeat(501), new Error("x".repeat(501))]) expect(messageOf(long)).toBe("x".repeat(500));
});

test("an event is sent with its fields; its id is new, of its own time where a UUID can carry that", () => {
  expect(read({ ...EVENT, eventTime: new Date(5), value: 3, function: "SUM", other: 1 })).toEqual({
    ...{ eventId: "a", json: '{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":5,"value":3}' },
  });
  expect(read({ ...EVENT, eventTime: null })).toEqual({
    ...{ eventId: "a", json: `{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":${NOW}}` },
  });
  for (const [eventTime, idTime] of [
    [undefined, NOW],
    [0, 0],
    [2 ** 48 - 1, 2 ** 48 - 1],
    [2 ** 48, NOW],
    [-1, NOW],
  ]) {
    const { eventId, json } = read({ videoId: "v", eventType: "VIEW", eventTime }) as { eventId: string; json: string };
    expect(timeOf(eventId)).toBe(idTime);
    expect(JSON.parse(json)).toEqual({ eventId, videoId: "v", eventType: "VIEW", eventTime: eventTime ?? NOW });
  }
});

test("an event whose names alone are larger than a batch is too large, to the character", () => {
  const names = { videoId: "v".repeat(10), eventType: "T".repeat(5), eventId: "i".repeat(200) };
  expect(read(names, 215).problem).toBeUndefined();
  expect(read(names, 214)).toEqual({
    eventId: "i".repeat(128),
    problem: { reason: "too-large", detail: "the event is larger than a batch" },
  });
});

test("an error of several events has their number, and the reason of the first", () => {
  const first = new EventError("bad-value", "no", "a", 1);
  const error = new EventsError(2, [first, new EventError("too-large", "x", null)]);
  expect([error.name, error.reason, error.message]).toEqual([
    ...["EventsError", "bad-value", "2 of 4 events were not accepted: bad-value: no"],
  ]);
  expect(new EventsError(0, []).reason).toBe("undelivered");
  expect([first.name, first.index, first.eventId]).toEqual(["EventError", 1, "a"]);
});
