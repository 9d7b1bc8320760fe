// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  type AcceptanceRules,
  minuteOf,
  parseEvent,
  parseRfc3339,
  TOO_MANY_TYPES,
  uuidV7TimeMs,
} from "../../domain/event";
import { REJECTION_REASONS } from "../../domain/rejection";

const NOW = Date.parse("2026-11-21T10:00:00Z");
const DAY_MS = 86_400_000;
const rules: AcceptanceRules = { receivedAtMs: NOW, rawRetentionMs: 30 * DAY_MS };
const good = { eventId: "e-1", videoId: "v", eventType: "VIEW", eventTime: NOW };

test("an event that keeps every rule is accepted as it is", () => {
  expect(parseEvent({ ...good, value: 5 }, rules)).toEqual({
    ok: true,
    event: { eventId: "e-1", videoId: "v", eventType: "VIEW", eventTimeMs: NOW, value: 5 },
    stampNeeded: false,
  });
});

test.each<[string, unknown, string]>([
  ["a number", 3, "missing-field"],
  ["null", null, "missing-field"],
  ["an array", [good], "missing-field"],
  ["text", "e-1", "missing-field"],
  ["no eventId", { ...good, eventId: undefined }, "missing-field"],
  ["no videoId", { ...good, videoId: undefined }, "missing-field"],
  ["no eventType", { ...good, eventType: undefined }, "missing-field"],
  ["a null eventId", { ...good, eventId: null }, "bad-event-id"],
  ["an empty eventId", { ...good, eventId: "" }, "bad-event-id"],
  ["an eventId of 129", { ...good, eventId: "x".repeat(129) }, "bad-event-id"],
  ["an eventId beyond ASCII", { ...good, eventId: "é" }, "bad-event-id"],
  ["an eventId with a newline at its end", { ...good, eventId: "e\n" }, "bad-event-id"],
  ["an eventId with DEL", { ...good, eventId: "e\x7f" }, "bad-event-id"],
  ["an eventId that is a number", { ...good, eventId: 7 }, "bad-event-id"],
  ["an empty videoId", { ...good, videoId: "" }, "bad-video-id"],
  ["a videoId of 129", { ...good, videoId: "v".repeat(129) }, "bad-video-id"],
  ["a videoId with a space", { ...good, videoId: "v v" }, "bad-video-id"],
  ["a videoId with a newline at its end", { ...good, videoId: "v\n" }, "bad-video-id"],
  ["a videoId that is an object", { ...good, videoId: {} }, "bad-video-id"],
  ["a lower-case type", { ...good, eventType: "view" }, "bad-event-type"],
  ["a type that starts with a digit", { ...good, eventType: "1VIEW" }, "bad-event-type"],
  ["a type of 33", { ...good, eventType: "V".repeat(33) }, "bad-event-type"],
  ["a value with a fraction", { ...good, value: 1.5 }, "bad-value"],
  ["a value of 2^53", { ...good, value: 2 ** 53 }, "bad-value"],
  ["a value of -2^53", { ...good, value: -(2 ** 53) }, "bad-value"],
  ["a value that is text", { ...good, value: "5" }, "bad-value"],
  ["a value that is a boolean", { ...good, value: true }, "bad-value"],
  ["a time that is no time", { ...good, eventTime: "yesterday" }, "bad-event-time"],
  ["a time with a fraction of a millisecond", { ...good, eventTime: NOW + 0.5 }, "bad-event-time"],
  ["a time before 1970", { ...good, eventTime: -1 }, "bad-event-time"],
  ["a time beyond Date", { ...good, eventTime: 8.64e15 + 1 }, "bad-event-time"],
  ["a time that is a boolean", { ...good, eventTime: false }, "bad-event-time"],
  ["5 min and 1 ms ahead", { ...good, eventTime: NOW + 300_001 }, "too-far-in-future"],
  ["1 ms older than the retention", { ...good, eventTime: NOW - 30 * DAY_MS - 1 }, "too-old"],
])("%s is refused", (_what, raw, reason) => {
  const parsed = parseEvent(raw, rules);
  expect(parsed).toMatchObject({ ok: false, reason });
  expect(REJECTION_REASONS).toContain(reason);
});

test.each<[string, Record<string, unknown>]>([
  ["5 min ahead", { eventTime: NOW + 300_000 }],
  ["exactly as old as the retention", { eventTime: NOW - 30 * DAY_MS }],
  ["a value of 2^53-1", { value: Number.MAX_SAFE_INTEGER }],
  ["a value of -(2^53-1)", { value: -Number.MAX_SAFE_INTEGER }],
  ["an eventId of 128", { eventId: "~".repeat(128) }],
  ["an eventId of a space", { eventId: " " }],
  ["a videoId of 128", { videoId: "a".repeat(128) }],
  ["a videoId of every sign", { videoId: "Az09_-.:/" }],
  ["a type of 32", { eventType: "A".repeat(32) }],
  ["a null value, as none", { value: null }],
])("%s is accepted", (_what, fields) => {
  expect(parseEvent({ ...good, ...fields }, rules)).toMatchObject({ ok: true });
});

test("a refused event is named by its id where that is text, cut to 128", () => {
  expect(parseEvent({ ...good, videoId: "" }, rules)).toMatchObject({ eventId: "e-1" });
  expect(parseEvent({ ...good, eventId: 7 }, rules)).toMatchObject({ eventId: null });
  expect(parseEvent({ ...good, eventId: "x".repeat(500) }, rules)).toMatchObject({ eventId: "x".repeat(128) });
});

test("any age is accepted where the retention is infinite", () => {
  expect(parseEvent({ ...good, eventTime: 0 }, { ...rules, rawRetentionMs: Number.POSITIVE_INFINITY })).toMatchObject({
    ok: true,
  });
});

test("a value of -0 is 0", () => {
  const parsed = parseEvent({ ...good, value: -0 }, rules);
  expect(parsed.ok && Object.is(parsed.event.value, 0)).toBe(true);
});

test("a type that the deployment does not admit is refused under its name, unless the event was accepted before", () => {
  const raw = { eventId: "a", videoId: "v", eventType: "LIKE", eventTime: 1_000 };
  const rules = { receivedAtMs: 1_000, rawRetentionMs: 1_000, admitsType: (type: string) => type === "VIEW" };
  expect(parseEvent(raw, rules)).toEqual({
    ...{ ok: false, eventId: "a", reason: "bad-event-type" },
    detail: `eventType LIKE ${TOO_MANY_TYPES}`,
  });
  expect(parseEvent({ ...raw, eventType: "VIEW" }, rules)).toMatchObject({ ok: true });
});

describe("an event without a time", () => {
  const v7 = (timeMs: number) => {
    const hex = timeMs.toString(16).padStart(12, "0");
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8123-0123456789ab`;
  };

  test.each([undefined, null])("takes that of its UUIDv7 (eventTime: %s)", (eventTime) => {
    expect(parseEvent({ ...good, eventId: v7(NOW - 5), eventTime }, rules)).toMatchObject({
      event: { eventTimeMs: NOW - 5 },
      stampNeeded: false,
    });
  });

  test("takes it from an upper-case UUIDv7, too", () => {
    expect(uuidV7TimeMs(v7(NOW).toUpperCase())).toBe(NOW);
  });

  test("is refused where that of its UUIDv7 is out of bounds", () => {
    expect(parseEvent({ ...good, eventId: v7(NOW + 300_001), eventTime: undefined }, rules)).toMatchObject({
      reason: "too-far-in-future",
    });
    expect(parseEvent({ ...good, eventId: v7(0), eventTime: undefined }, rules)).toMatchObject({ reason: "too-old" });
  });

  test.each([
    ["e-1"],
    ["0190a0a0-0000-4000-8000-000000000001"],
    ["0190a0a0-0000-7000-c000-000000000001"],
    ["0190a0a000007000800000000000000001"],
  ])("is stamped at receipt where its id is %s", (eventId) => {
    expect(parseEvent({ ...good, eventId, eventTime: undefined }, rules)).toMatchObject({
      event: { eventTimeMs: NOW },
      stampNeeded: true,
    });
  });

  test("the 48 bits of any UUIDv7 are its time", () => {
    fc.assert(
      fc.property(fc.uuid({ version: 7 }), (id) => {
        expect(uuidV7TimeMs(id)).toBe(Number(BigInt(`0x${id.replaceAll("-", "").slice(0, 12)}`)));
      }),
    );
  });
});

describe("unknown fields", () => {
  test("are kept beside the event", () => {
    const parsed = parseEvent({ ...good, player: { version: 3 }, tags: [1], none: null }, rules);
    expect(parsed.ok && { ...parsed.event.extra }).toEqual({ player: { version: 3 }, tags: [1], none: null });
  });

  test("named __proto__ are data, not a prototype", () => {
    const raw = JSON.parse('{"eventId":"e","videoId":"v","eventType":"VIEW","eventTime":0,"__proto__":{"value":7}}');
    const parsed = parseEvent(raw, { ...rules, rawRetentionMs: Number.POSITIVE_INFINITY });
    expect(parsed.ok && parsed.event.value).toBeUndefined();
    expect(parsed.ok && JSON.stringify(parsed.event.extra)).toBe('{"__proto__":{"value":7}}');
    expect(({} as Record<string, unknown>).value).toBeUndefined();
  });

  test("that only the prototype has are no fields", () => {
    const parsed = parseEvent({ ...good, toString: undefined, constructor: 5 }, rules);
    expect(parsed.ok && Object.keys(parsed.event.extra ?? {})).toEqual(["toString", "constructor"]);
    expect(
      parseEvent(JSON.parse('{"videoId":"v","eventType":"VIEW","__proto__":{"eventId":"e"}}'), rules),
    ).toMatchObject({
      reason: "missing-field",
    });
  });
});

describe("RFC 3339", () => {
  test.each<[string, string]>([
    ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21t10:00:00z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21 10:00:00Z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.500Z"],
    ["2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123Z"],
    ["2026-11-21T10:00:00.9999999Z", "2026-11-21T10:00:00.999Z"],
    ["2026-11-21T10:00:00+05:30", "2026-11-21T04:30:00.000Z"],
    ["2026-11-21T00:00:00+14:00", "2026-11-20T10:00:00.000Z"],
    ["2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00.000Z"],
    ["2026-11-21T10:00:00-00:00", "2026-11-21T10:00:00.000Z"],
    ["2028-02-29T23:59:59.999Z", "2028-02-29T23:59:59.999Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
    ["1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
    ["9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"],
    ["2026-11-21T10:00:00.1234567890123456789Z", "2026-11-21T10:00:00.123Z"],
    [`2026-11-21T10:00:00.5${"0".repeat(2_000)}Z`, "2026-11-21T10:00:00.500Z"],
    ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
    ["2015-06-30T23:59:60.25Z", "2015-06-30T23:59:59.999Z"],
    ["1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999Z"],
    ["2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59.999Z"],
  ])("%s is %s", (text, iso) => {
    expect(parseRfc3339(text)).toBe(Date.parse(iso));
  });

  test.each([
    "2026-11-21T10:00:00,123Z",
    "2026-11-21T10:00:00:123Z",
    "2026-11-21T10:00:000123Z",
    "2027-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-11-00T00:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T10:60:00Z",
    "2026-11-21T10:00:60Z",
    "2026-11-21T23:59:60Z",
    "2016-12-31T23:58:60Z",
    "2016-12-31T23:59:61Z",
    "2016-12-31T23:59:60+00:01",
    "9999-12-31T23:59:59-00:01",
    "10000-01-01T00:00:00Z",
    "2026-11-21T10:00:00",
    "2026-11-21T10:00Z",
    "2026-11-21",
    "2026-11-21T10:00:00.Z",
    "2026-11-21T10:00:00+24:00",
    "2026-11-21T10:00:00+05:60",
    "2026-11-21T10:00:00+0530",
    "2026-11-21T10:00:00Z\n",
    " 2026-11-21T10:00:00Z",
    "26-11-21T10:00:00Z",
    "0026-11-21T10:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00+00:01",
    "２026-11-21T10:00:00Z",
    "1763719200000",
    "",
  ])("%j is no time", (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });

  test("the common form means the same as with an offset of zero, days and times that do not exist included", () => {
    const part = (most: number, width = 2) => fc.integer({ min: 0, max: most }).map((n) => `${n}`.padStart(width, "0"));
    const year = fc.oneof(fc.constantFrom("1969", "1970", "2000", "2028", "2100", "9999"), part(9999, 4));
    const parts = fc.tuple(year, part(13), part(32), part(24), part(60), part(61), part(999, 3), fc.boolean());
    fc.assert(
      fc.property(parts, fc.integer({ min: 0, max: 40 }), ([y, mo, d, h, mi, s, ms, hasMs], wrongAt) => {
        const local = `${y}-${mo}-${d}T${h}:${mi}:${s}${hasMs ? `.${ms}` : ""}`;
        const wrong = `${local.slice(0, wrongAt)}x${local.slice(wrongAt + 1)}`;
        for (const text of [local, wrong]) expect(parseRfc3339(`${text}Z`)).toBe(parseRfc3339(`${text}+00:00`));
      }),
      { numRuns: 3_000 },
    );
  });

  test("every millisecond that ISO text can say is read back, whatever the offset", () => {
    const anyTime = fc.integer({ min: DAY_MS, max: Date.UTC(9998, 11, 31) });
    fc.assert(
      fc.property(anyTime, fc.integer({ min: -1439, max: 1439 }), (timeMs, offset) => {
        const local = new Date(timeMs + offset * 60_000).toISOString().slice(0, -1);
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
        const pad = (n: number) => String(n).padStart(2, "0");
        expect(parseRfc3339(`${local}${offset < 0 ? "-" : "+"}${pad(hours)}:${pad(minutes)}`)).toBe(timeMs);
      }),
    );
  });
});

test("the last millisecond of a minute is of it, the next is not", () => {
  expect(minuteOf(59_999)).toBe(0);
  expect(minuteOf(60_000)).toBe(1);
});

test("whatever comes, an event or a reason of the closed list leaves, never an exception", () => {
  const field = fc.oneof(fc.anything(), fc.constantFrom("VIEW", "e-1", NOW, "2026-11-21T10:00:00Z"));
  const raw = fc.oneof(
    fc.anything(),
    fc.record({ eventId: field, videoId: field, eventType: field, eventTime: field, value: field }),
  );
  fc.assert(
    fc.property(raw, (value) => {
      const parsed = parseEvent(value, rules);
      if (!parsed.ok) expect(REJECTION_REASONS).toContain(parsed.reason);
    }),
  );
});
