// SPDX-License-Identifier: Apache-2.0
/**
 * CloudEvents as the intake judges them, without a service around: what is refused, under which id, with which words
 * and bytes, and what is kept of those that are accepted.
 */
import { eventAt } from "../../domain/columns/event-columns";
import { MAX_JSON_DEPTH } from "../../domain/json-depth";
import type { Content } from "../../intake/content";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { takeBody } from "../../intake/take-body";
import type { IntakeRules, TakenEvents } from "../../intake/taken";
import { T0 } from "../domain/model";

const RULES: IntakeRules = {
  ...{ receivedAtMs: T0, rawRetentionMs: Number.POSITIVE_INFINITY, limits: CONTRACT_LIMITS },
  untimed: { kind: "receipt" },
};
const CLOUD = { specversion: "1.0", id: "a", source: "/s", subject: "v", type: "VIEW" };
const base64 = (json: string) => Buffer.from(json).toString("base64");

function taken(body: string | Buffer, content: Content, rules: Partial<IntakeRules> = {}): TakenEvents {
  const result = takeBody(Buffer.from(body), content, { ...RULES, ...rules });
  if (result.kind !== "events") throw new Error(JSON.stringify(result));
  return result;
}
const batch: Content = { format: "cloudevents-batch", encoding: "identity" };

const BASE64 = "data_base64 must be base64";
const TYPE = "datacontenttype must be JSON (application/json): a value in other data cannot be read";

test.each<[string, unknown, string | null, string, string]>([
  ["a number", 5, null, "missing-field", "a CloudEvent is a JSON object with id, subject and type"],
  ["an array", [CLOUD], null, "missing-field", "a CloudEvent is a JSON object with id, subject and type"],
  ["null", null, null, "missing-field", "a CloudEvent is a JSON object with id, subject and type"],
  ["another version", { ...CLOUD, specversion: "0.3" }, "a", "unknown-schema", "specversion must be 1.0"],
  ["an id of 129", { ...CLOUD, specversion: "", id: "x".repeat(129) }, "x".repeat(128), "unknown-schema", "specver"],
  ["an id that is no text", { ...CLOUD, specversion: 1, id: 7 }, null, "unknown-schema", "specversion must be 1.0"],
  ["two kinds of data", { ...CLOUD, data: 1, data_base64: "MQ==" }, "a", "bad-value", "data and data_base64 exclude"],
  ["a number as base64", { ...CLOUD, data_base64: 1234 }, "a", "bad-value", BASE64],
  ["base64 of no type, cut", { ...CLOUD, data_base64: "MQ=" }, "a", "bad-value", BASE64],
  ["base64 with a space before", { ...CLOUD, data_base64: " MQ==" }, "a", "bad-value", BASE64],
  ["base64 with a space behind", { ...CLOUD, data_base64: "MQ== " }, "a", "bad-value", BASE64],
  ["base64 with a stranger in the middle", { ...CLOUD, data_base64: "MQ.=" }, "a", "bad-value", BASE64],
  ["other data", { ...CLOUD, datacontenttype: "text/xml", data: "<a/>" }, "a", "bad-value", TYPE],
  ["a type that is no text", { ...CLOUD, datacontenttype: 7, data: 1 }, "a", "bad-value", TYPE],
  ["base64 of other data", { ...CLOUD, datacontenttype: "image/png", data_base64: "AAAA" }, "a", "bad-value", TYPE],
  [
    "base64 of no JSON",
    { ...CLOUD, data_base64: base64("{oops") },
    "a",
    "bad-value",
    "data_base64 does not hold JSON: ",
  ],
  ["no version", { ...CLOUD, specversion: undefined }, "a", "missing-field", "specversion is missing"],
  ["a version of null", { ...CLOUD, specversion: null }, "a", "missing-field", "specversion is missing"],
  ["no source", { ...CLOUD, source: undefined }, "a", "missing-field", "source is missing"],
  ["a source of null", { ...CLOUD, source: null }, "a", "missing-field", "source is missing"],
  ["an empty source", { ...CLOUD, source: "" }, "a", "missing-field", "source is missing"],
  ["a source that is no text", { ...CLOUD, source: 7 }, "a", "missing-field", "source must be a string"],
  ["a time that is a number", { ...CLOUD, time: T0 }, "a", "bad-event-time", "time must be an RFC 3339 time"],
  ["a time of digits", { ...CLOUD, time: String(T0) }, "a", "bad-event-time", "time must be an RFC 3339 time"],
  ["a time that is true", { ...CLOUD, time: true }, "a", "bad-event-time", "time must be an RFC 3339 time"],
  ["no id", { ...CLOUD, id: null }, null, "missing-field", "id is missing"],
  ["no subject", { ...CLOUD, subject: null }, "a", "missing-field", "subject is missing"],
  ["no type", { ...CLOUD, type: null }, "a", "missing-field", "type is missing"],
])("%s is refused alone, under its id, with its own bytes", (_what, raw, eventId, reason, detail) => {
  const text = JSON.stringify(raw);
  const { rejected, columns } = taken(`[${JSON.stringify(CLOUD)}, ${text}]`, batch);
  expect(columns.count).toBe(1);
  expect(rejected).toEqual([
    {
      ...{ index: 1, eventId, reason, detail: expect.stringContaining(detail), payload: Buffer.from(text) },
      contentType: "application/cloudevents+json",
    },
  ]);
  expect(rejected[0]!.detail.startsWith(detail)).toBe(true);
});

test.each<[string, object, number | undefined, object]>([
  ["data with a value alone", { data: { value: 3 } }, 3, {}],
  ["data with more than a value", { data: { value: 3, a: [1] } }, 3, { data: { a: [1] } }],
  ["data that is no object", { data: "text" }, undefined, { data: "text" }],
  ["data that is a list", { data: [1] }, undefined, { data: [1] }],
  [
    "base64 with a value and more",
    { data_base64: base64('{"value":4,"a":1}') },
    4,
    {
      data_base64: base64('{"value":4,"a":1}'),
    },
  ],
  [
    "data of any name of JSON",
    { datacontenttype: "A/b+JSON; x=y", data: { value: 5 } },
    5,
    {
      datacontenttype: "A/b+JSON; x=y",
    },
  ],
  ["no data, of another type", { datacontenttype: "image/png" }, undefined, { datacontenttype: "image/png" }],
  [
    "members that are null",
    { data: null, data_base64: null, time: null, datacontenttype: null },
    undefined,
    {
      ...{ data_base64: null, datacontenttype: null },
    },
  ],
])("of %s the value becomes the event's, and the rest is kept", (_what, more, value, kept) => {
  const { rejected, columns } = taken(JSON.stringify({ ...CLOUD, source: "/s", ...more }), {
    ...{ format: "cloudevent", encoding: "identity" },
  });
  expect(rejected).toEqual([]);
  const { value: found, extra } = eventAt(columns, 0);
  expect(found).toBe(value);
  expect(extra).toEqual({ cloudevent: { specversion: "1.0", source: "/s", ...kept } });
});

describe("in binary mode", () => {
  const binary = (attributes: Record<string, string>, dataType = "application/json"): Content => ({
    ...{ format: "cloudevent-binary", encoding: "identity", attributes, dataType },
  });
  const { specversion: _, ...untold } = CLOUD;
  const { source: __, ...sourceless } = CLOUD;

  test.each<[string, Record<string, string>, string, string | null]>([
    ["version, with an id", untold, "ce-specversion", "a"],
    ["version, with an id of 129 characters", { ...untold, id: "x".repeat(129) }, "ce-specversion", "x".repeat(128)],
    ["version, with no id", { subject: "v", type: "VIEW" }, "ce-specversion", null],
    ["source", sourceless, "ce-source", "a"],
  ])("a missing %s is refused, and its letter has the data", (_what, attributes, name, eventId) => {
    expect(taken("1", binary(attributes))).toMatchObject({
      columns: { count: 0 },
      rejected: [
        {
          ...{ index: 0, eventId, reason: "missing-field", detail: `${name} is missing` },
          payload: Buffer.from(JSON.stringify({ datacontenttype: "application/json", ...attributes, data: 1 })),
          contentType: "application/cloudevents+json",
        },
      ],
    });
  });

  test.each<[string, string | Buffer, string, object]>([
    ["JSON, as it was written", '{"value": 1.5}', "text/json", { datacontenttype: "text/json", data: { value: 1.5 } }],
    ["JSON behind a mark", '\ufeff{"value":1.5}', "text/json", { datacontenttype: "text/json", data: { value: 1.5 } }],
    ["what is no JSON", "{oops", "text/json", { datacontenttype: "text/json", data_base64: base64("{oops") }],
    ["what is of another type", "1", "image/png", { datacontenttype: "image/png", data_base64: base64("1") }],
    ["bytes that are no text", Buffer.of(0xff), "text/json", { datacontenttype: "text/json", data_base64: "/w==" }],
  ])("the letter of a refused event holds %s", (_what, body, dataType, data) => {
    const { rejected } = taken(body, binary({ ...CLOUD, subject: "" }, dataType));
    expect(rejected).toHaveLength(1);
    const payload = Buffer.from(rejected[0]!.payload).toString();
    expect(JSON.parse(payload)).toEqual({ ...CLOUD, subject: "", ...data });
    if (payload.includes('"data":')) expect(payload).toContain(`,"data":${String(body).replace("\ufeff", "")}}`);
  });

  test("data that nests too deep inside its event is refused whole, as the event that it would be", () => {
    const data = `${"[".repeat(MAX_JSON_DEPTH)}${" ".repeat(256 << 10)}${"]".repeat(MAX_JSON_DEPTH)}`;
    const result = takeBody(Buffer.from(data), binary(CLOUD), RULES);
    if (result.kind !== "problem") throw new Error(result.kind);
    expect(result).toMatchObject({ reason: "not-json", contentType: "application/cloudevents+json" });
    expect(Buffer.from(result.payload).toString().endsWith(`,"data":${data}}`)).toBe(true);
  });

  test("an event needs no data, and its fields are named as the headers are", () => {
    const { columns, rejected } = taken("", binary(CLOUD, ""));
    expect(rejected).toEqual([]);
    expect(eventAt(columns, 0)).toMatchObject({ eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 });
    for (const [attribute, name] of Object.entries({
      source: "ce-source",
      id: "ce-id",
      subject: "ce-subject",
      type: "ce-type",
    })) {
      const { [attribute as "id"]: ___, ...rest } = CLOUD;
      expect(taken("", binary(rest, "")).rejected).toMatchObject([{ detail: `${name} is missing` }]);
    }
    expect(taken("", binary({ ...CLOUD, time: "x" })).rejected[0]?.detail).toMatch(/^ce-time must be/);
    expect(taken('{"value":"x"}', binary(CLOUD)).rejected[0]?.detail).toMatch(/^data\.value must be/);
  });
});

test.each<[string, Content, string]>([
  ["one", { format: "cloudevent", encoding: "identity" }, "application/cloudevents+json"],
  ["a batch", batch, "application/cloudevents-batch+json"],
])("a body of %s that is no JSON, or nests too deep, is kept whole", (_what, content, contentType) => {
  const deep = `${"[".repeat(MAX_JSON_DEPTH + 1)}${" ".repeat(256 << 10)}${"]".repeat(MAX_JSON_DEPTH + 1)}`;
  for (const [body, detail] of [
    ["", /^the body is empty$/],
    ["{oops", /JSON/],
    [deep, new RegExp(`^the JSON is nested deeper than ${MAX_JSON_DEPTH} levels$`)],
  ] as const) {
    const result = takeBody(Buffer.from(body), content, RULES);
    if (result.kind !== "problem") throw new Error(result.kind);
    const { payload, ...problem } = result;
    expect(problem).toEqual({
      ...{ kind: "problem", reason: "not-json", detail: expect.stringMatching(detail), contentType },
    });
    expect(Buffer.from(payload).equals(Buffer.from(body))).toBe(true);
  }
});
