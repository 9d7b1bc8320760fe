// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  countByMinute,
  type EventColumns,
  EventColumnsBuilder,
  eventAt,
  eventJsonAt,
  selectRows,
  validateColumns,
} from "../../../domain/columns/event-columns";
import { textSpans } from "../../../domain/columns/name-table";
import { type AcceptanceRules, minuteOf, parseEvent } from "../../../domain/event";
import { anyEvent, columnsOf, T0 } from "../model";

const rows = (columns: EventColumns) => Array.from({ length: columns.count }, (_, row) => row);
const NOW = T0;
const rules = { receivedAtMs: NOW, rawRetentionMs: 86_400_000 };
const anyAge = { receivedAtMs: Number.MAX_VALUE, rawRetentionMs: Number.POSITIVE_INFINITY };

test("events come out of columns as they went in", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), (events) => {
      const columns = columnsOf(events);
      expect(rows(columns).map((row) => eventAt(columns, row))).toEqual(events);
    }),
  );
});

test("events that the contract allows are valid by column, names as texts or as spans", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), (events) => {
      const columns = columnsOf(events);
      expect(validateColumns(columns, anyAge)).toEqual([]);
      expect(validateColumns({ ...columns, videoSpans: textSpans(columns.videos) }, anyAge)).toEqual([]);
    }),
  );
});

test("selected rows are the same events", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyEvent, fc.boolean())), (chosen) => {
      const columns = columnsOf(chosen.map(([event]) => event));
      const selected = selectRows(
        columns,
        rows(columns).filter((row) => chosen[row]![1]),
      );
      expect(rows(selected).map((row) => eventAt(selected, row))).toEqual(
        chosen.filter(([, keep]) => keep).map(([event]) => event),
      );
    }),
  );
});

test("the JSON of a row is the event, sent again", () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const parsed = parseEvent(JSON.parse(eventJsonAt(columnsOf([event]), 0)), anyAge);
      expect(parsed).toMatchObject({ ok: true, stampNeeded: false });
      if (!parsed.ok) return;
      const { extra, ...fields } = parsed.event;
      const { extra: unknown, ...expected } = event;
      const known = new Set(["eventId", "videoId", "eventType", "eventTime", "value"]);
      const kept = Object.entries(unknown ?? {}).filter(([name]) => !known.has(name));
      expect(fields).toEqual(expected);
      expect(new Map(Object.entries(extra ?? {}))).toEqual(new Map(kept));
    }),
  );
});

test("the JSON of a row that no event can be stays refused", () => {
  const columns = columnsOf([{ eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: NOW, value: 1 }]);
  columns.values![0] = Number.POSITIVE_INFINITY;
  expect(parseEvent(JSON.parse(eventJsonAt(columns, 0)), anyAge)).toMatchObject({ reason: "bad-value" });
  columns.values![0] = 1;
  columns.timesMs[0] = Number.NaN;
  expect(parseEvent(JSON.parse(eventJsonAt(columns, 0)), anyAge)).toMatchObject({ reason: "bad-event-time" });
});

test("extras nested deeper than the stack pass through selection and JSON", () => {
  const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const columns = columnsOf([{ eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: NOW }]);
  columns.extras = new Map([[0, deep]]);
  expect(selectRows(columns, [0]).extras?.get(0)).toBe(deep);
  expect(eventJsonAt(columns, 0).length).toBeGreaterThan(deep.length);
});

describe("a row that breaks the contract is named, the others stand", () => {
  const event = (eventId: string) => ({ eventId, videoId: "v", eventType: "VIEW", eventTimeMs: NOW, value: 1 });
  const uuid = "0190a0a0-0000-7000-8000-000000000001";

  test.each<[string, string, (columns: EventColumns) => void]>([
    ["a value int64 holds and JavaScript does not", "bad-value", (c) => c.values!.set([Number.POSITIVE_INFINITY], 1)],
    ["a value with a fraction", "bad-value", (c) => c.values!.set([1.5], 1)],
    ["a time that is none", "bad-event-time", (c) => c.timesMs.set([Number.NaN], 1)],
    ["a time before 1970", "bad-event-time", (c) => c.timesMs.set([-1], 1)],
    ["a time beyond Date", "bad-event-time", (c) => c.timesMs.set([8.64e15 + 1000], 1)],
    ["a time too far ahead", "too-far-in-future", (c) => c.timesMs.set([NOW + 300_001], 1)],
    ["a time too old", "too-old", (c) => c.timesMs.set([NOW - 86_400_001], 1)],
    ["an index without a name", "bad-video-id", (c) => c.videoIndex.set([9], 1)],
    ["an index without a type", "bad-event-type", (c) => c.typeIndex.set([9], 1)],
    ["an id that is neither UUID nor hash", "bad-event-id", (c) => c.ids.fill(0, 16, 32)],
    ["a hash with no id beside it", "bad-event-id", (c) => c.ids.fill(0xff, 16, 32)],
  ])("%s", (_what, reason, spoil) => {
    const columns = columnsOf([event("a"), event(uuid), event("c")]);
    spoil(columns);
    expect(validateColumns(columns, rules)).toMatchObject([{ index: 1, reason }]);
  });

  test.each([
    ["another id than its hash", "b"],
    ["an id beyond ASCII", "é"],
    ["an empty id", ""],
    ["an id of 129", "x".repeat(129)],
    ["a UUID, which is never hashed", uuid],
  ])("a hash with %s beside it", (_what, text) => {
    const columns = columnsOf([event("a"), event("hashed"), event("c")]);
    columns.hashedIds = new Map([...columns.hashedIds!, [1, text]]);
    expect(validateColumns(columns, rules)).toMatchObject([{ index: 1, reason: "bad-event-id" }]);
  });

  test("a UUID with another id beside it", () => {
    const columns = columnsOf([event("a"), event(uuid)]);
    columns.hashedIds = new Map([...columns.hashedIds!, [1, "other"]]);
    expect(validateColumns(columns, rules)).toMatchObject([{ index: 1, reason: "bad-event-id" }]);
  });

  test.each(["", "v v", "é", "v\n", "x".repeat(129)])("the video name %j, as text and as span", (name) => {
    const columns = { ...columnsOf([event("a"), { ...event("b"), videoId: "w" }]), videos: ["v", name] };
    expect(validateColumns(columns, rules)).toMatchObject([{ index: 1, reason: "bad-video-id" }]);
    const bytes = Buffer.from(`v${name}`, "utf8");
    const videoSpans = { bytes, starts: Uint32Array.of(0, 1), ends: Uint32Array.of(1, bytes.length) };
    expect(validateColumns({ ...columns, videoSpans }, rules)).toMatchObject([{ index: 1, reason: "bad-video-id" }]);
  });

  test("the refusal has the words of the rule, and the id as far as it is shown", () => {
    const long = "e".repeat(200);
    const columns = columnsOf([event("a"), event(uuid), event("c")]);
    columns.ids.fill(0xff, 32, 48);
    columns.hashedIds = new Map([...columns.hashedIds!, [2, long]]);
    columns.values![1] = 0.5;
    expect(validateColumns(columns, rules)).toEqual([
      { index: 1, eventId: uuid, reason: "bad-value", detail: "value must be an integer with |value| <= 2^53-1" },
      {
        ...{ index: 2, eventId: long.slice(0, 128), reason: "bad-event-id" },
        detail: "the id is neither a UUID alone nor the hash of the id carried beside it",
      },
    ]);
    const detailOf = (spoil: (columns: EventColumns) => void, more: Partial<AcceptanceRules> = {}) => {
      const spoilt = columnsOf([event("a")]);
      spoil(spoilt);
      return validateColumns(spoilt, { ...rules, ...more }).map(({ detail }) => detail);
    };
    const none = () => undefined;
    const [video, type] = ["videoId must be a string of 1 to 128 of A-Z a-z 0-9 _ - . : /", "eventType must match"];
    expect(detailOf((c) => c.videoIndex.set([9]))).toEqual([video]);
    expect(detailOf((c) => c.typeIndex.set([9]))).toEqual(["eventType is missing"]);
    expect(detailOf((c) => c.types.splice(0, 1, "view"))).toEqual([`${type} [A-Z][A-Z0-9_]{0,31}`]);
    expect(detailOf((c) => c.timesMs.fill(-1))).toEqual(["eventTime must be epoch milliseconds"]);
    expect(detailOf((c) => c.timesMs.fill(0))).toEqual(["eventTime is older than the raw retention; use backfill"]);
    expect(detailOf(none)).toEqual([]);
    const onlyLikes = { admitsType: (name: string) => name === "LIKE" };
    expect(detailOf(none, onlyLikes)).toEqual([expect.stringMatching(/^eventType VIEW ./)]);
    expect(detailOf(none, { ...onlyLikes, alreadyAccepted: true })).toEqual([]);
    expect(detailOf(none, { ...onlyLikes, alreadyAccepted: false })).toHaveLength(1);
    expect(detailOf((c) => c.types.splice(0, 1, "LIKE"), onlyLikes)).toEqual([]);
  });

  test("the last moment of Date and the longest video name are the contract's, also as spans", () => {
    const columns = columnsOf([{ ...event("a"), videoId: "v".repeat(128) }]);
    columns.timesMs[0] = 8.64e15;
    expect(validateColumns(columns, anyAge)).toEqual([]);
    expect(validateColumns({ ...columns, videoSpans: textSpans(columns.videos) }, anyAge)).toEqual([]);
    columns.timesMs[0] = 8.64e15 + 1;
    expect(validateColumns(columns, anyAge)).toMatchObject([{ reason: "bad-event-time" }]);
  });

  test("columns have no members that no event needs, and no room that no row has", () => {
    const plain = columnsOf([{ eventId: uuid, videoId: "v", eventType: "VIEW", eventTimeMs: NOW }]);
    for (const name of ["values", "hashedIds", "extras"]) expect(plain).not.toHaveProperty(name);
    expect(plain.ids).toHaveLength(16);
    const added = new EventColumnsBuilder();
    added.addRow(plain, 0);
    expect(added.build()).toEqual(plain);
    expect(eventAt(columnsOf([event("a"), { ...event("b"), value: Number.NaN }]), 1)).not.toHaveProperty("value");
    const spaced = { ...plain, extras: new Map([[0, ' { "a" : 1 } ']]) };
    expect(eventJsonAt(spaced, 0)).toMatch(/^\{"a" : 1,"eventId"/);
    expect(eventJsonAt({ ...plain, extras: new Map([[0, "{  }"]]) }, 0)).toBe(eventJsonAt(plain, 0));
  });

  test("the bounds of the times are the contract's", () => {
    const columns = columnsOf([event("a"), event("b")]);
    columns.timesMs.set([NOW + 300_000, NOW - 86_400_000]);
    expect(validateColumns(columns, rules)).toEqual([]);
  });
});

test("events are counted by the minute they are of", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), (events) => {
      const model = new Map<number, number>();
      for (const { eventTimeMs } of events) {
        const minute = minuteOf(eventTimeMs);
        model.set(minute, (model.get(minute) ?? 0) + 1);
      }
      expect(countByMinute(columnsOf(events))).toEqual(model);
    }),
  );
});

test("rows of other columns are added with their ids, values and extra fields, to any columns", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 20 }), fc.array(anyEvent, { maxLength: 5 }), (events, before) => {
      const builder = new EventColumnsBuilder();
      for (const event of before) builder.add(event);
      const from = columnsOf(events);
      for (let row = 0; row < from.count; row++) builder.addRow(from, row);
      expect(builder.size).toBe(before.length + events.length);
      const columns = builder.build();
      const all = [...before, ...events];
      expect(all.map((_, row) => eventAt(columns, row))).toEqual(all.map((event) => eventAt(columnsOf([event]), 0)));
    }),
  );
});
