// SPDX-License-Identifier: Apache-2.0
/**
 * CloudEvents 1.0.2 over HTTP: structured, batched and binary; what is not supported is refused with the names of the
 * format.
 */

import { gzipSync } from "node:zlib";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, IngestHarness, NOW_MS, text } from "./ingest-harness";

let harness: IngestHarness;
const stores = emptiedStores();
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
});
afterEach(() => harness.stop());

const CLOUD = { "Content-Type": "application/cloudevents+json" };
const cloud = (changes: Record<string, unknown> = {}) => ({
  specversion: "1.0",
  id: "ce-1",
  source: "/player",
  type: "WATCH_MS",
  subject: "video-9",
  time: new Date(NOW_MS - 1000).toISOString(),
  ...changes,
});
const base64 = (json: string) => Buffer.from(json).toString("base64");
const binary = (changes: Record<string, string> = {}): Record<string, string> => ({
  "Content-Type": "application/json",
  "ce-specversion": "1.0",
  "ce-id": "ce-1",
  "ce-source": "/player",
  "ce-type": "WATCH_MS",
  "ce-subject": "video-9",
  "ce-time": new Date(NOW_MS - 1000).toISOString(),
  ...changes,
});

describe("structured mode", () => {
  it.each([
    ["data", { data: { value: 5 } }, 5],
    [
      "data of a type that says JSON",
      { datacontenttype: "application/vnd.player+json; charset=utf-8", data: { value: 5 } },
      5,
    ],
    ["data_base64", { data_base64: base64('{"value":5,"quality":"hd"}') }, 5],
    [
      "data_base64 of a type that says JSON",
      { datacontenttype: "application/json", data_base64: base64('{"value":-7}') },
      -7,
    ],
    ["data that is no object", { data: "text" }, undefined],
    ["data_base64 that holds no object", { data_base64: base64("[1]") }, undefined],
    ["null data and attributes", { data: null, data_base64: null, datacontenttype: null, comexample: null }, undefined],
    ["no data, whatever its type", { datacontenttype: "image/png" }, undefined],
  ])("takes the value of %s", async (_what, changes, value) => {
    const answer = await harness.post(JSON.stringify(cloud(changes)), CLOUD);
    expect(answer.body).toEqual({ accepted: 1, rejected: [] });
    expect((await harness.events()).map((each) => each.value)).toEqual([value]);
  });

  it("keeps extension attributes, and data_base64 as it was sent", async () => {
    const encoded = base64('{"value":5}');
    await harness.post(JSON.stringify(cloud({ comexample: "x", traceparent: "00-1", data_base64: encoded })), CLOUD);
    expect((await harness.events())[0]!.extra).toEqual({
      cloudevent: { specversion: "1.0", source: "/player", comexample: "x", traceparent: "00-1", data_base64: encoded },
    });
  });

  it.each([
    ["missing-field", "id is missing", { id: undefined }],
    ["missing-field", "id is missing", { id: null }],
    ["missing-field", "subject is missing", { subject: undefined }],
    ["missing-field", "type is missing", { type: undefined }],
    ["bad-event-id", "id must be", { id: 7 }],
    ["bad-video-id", "subject must be", { subject: "a b" }],
    ["bad-event-type", "type must match", { type: "com.example.view" }],
    ["bad-event-time", "time must be", { time: "yesterday" }],
    ["too-far-in-future", "time is", { time: new Date(NOW_MS + 600_000).toISOString() }],
    ["bad-value", "data.value must be", { data: { value: 1.5 } }],
    ["bad-value", "data.value must be", { data_base64: base64('{"value":4.9999999999999999}') }],
    ["bad-value", "data_base64 must be base64", { data_base64: "e30=!" }],
    ["bad-value", "data_base64 must be base64", { data_base64: "e30" }],
    ["bad-value", "data_base64 does not hold JSON", { data_base64: base64("<xml/>") }],
    ["bad-value", "exclude each other", { data: {}, data_base64: "e30=" }],
    ["bad-value", "datacontenttype must be JSON", { datacontenttype: "application/xml", data: "<value>5</value>" }],
    ["bad-value", "datacontenttype must be JSON", { datacontenttype: "application/protobuf", data_base64: "AAAA" }],
    ["unknown-schema", "specversion must be 1.0", { specversion: "0.3" }],
    ["missing-field", "specversion is missing", { specversion: undefined }],
    ["missing-field", "source is missing", { source: undefined }],
    ["bad-event-time", "time must be an RFC 3339 time", { time: NOW_MS }],
  ] as const)("refuses as %s: %s (%j)", async (reason, detail, changes) => {
    const body = JSON.stringify(cloud(changes));
    for (const [sent, type] of [
      [body, "application/cloudevents+json"],
      [`[${body}]`, "application/cloudevents-batch+json"],
    ] as const) {
      const answer = await harness.post(sent, { "Content-Type": type });
      expect(answer.body).toMatchObject({
        accepted: 0,
        rejected: [{ reason, detail: expect.stringContaining(detail) }],
      });
    }
    for (const letter of await harness.letters()) {
      expect(letter.contentType).toBe("application/cloudevents+json");
      expect(text(letter.payload)).toBe(body);
    }
  });

  it("is known among events of ours, in JSON and in NDJSON", async () => {
    const list = [event(), cloud({ data: { value: 2 } }), cloud({ subject: "a b" })];
    const json = await harness.post(JSON.stringify(list));
    const ndjson = await harness.post(list.map((each) => JSON.stringify(each)).join("\n"), {
      "Content-Type": "application/x-ndjson",
    });
    for (const answer of [json, ndjson]) {
      expect(answer.body.accepted).toBe(2);
      expect(answer.body.rejected).toMatchObject([{ index: 2, detail: expect.stringMatching(/^subject/) }]);
    }
  });
});

describe("binary mode", () => {
  it("maps ce- headers and the body, and keeps the rest", async () => {
    const headers = binary({ "ce-comexample": "%E2%82%AC 5%25" });
    const answer = await harness.post('{"value": 42, "quality": "hd"}', headers);
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
    expect(await harness.events()).toEqual([
      {
        eventId: "ce-1",
        videoId: "video-9",
        eventType: "WATCH_MS",
        eventTimeMs: NOW_MS - 1000,
        value: 42,
        extra: {
          cloudevent: {
            specversion: "1.0",
            source: "/player",
            datacontenttype: "application/json",
            comexample: "€ 5%",
            data: { quality: "hd" },
          },
        },
        receivedAtMs: NOW_MS,
      },
    ]);
  });

  it.each([
    ["gzip", gzipSync('{"value":1}'), binary({ "Content-Encoding": "gzip" })],
    ["text/plain that is JSON", '{"value":1}', binary({ "Content-Type": "text/plain" })],
    ["an own JSON type", '{"value":1}', binary({ "Content-Type": "application/vnd.p+json" })],
    ["no data", "", { ...binary(), "Content-Type": "application/json" }],
  ])("takes %s", async (_what, body, headers) => {
    expect((await harness.post(body, headers)).body).toEqual({ accepted: 1, rejected: [] });
  });

  it.each([
    ["missing-field", "ce-specversion is missing", '{"value":1}', { "ce-specversion": "" }],
    ["missing-field", "ce-source is missing", '{"value":1}', { "ce-source": "" }],
    ["missing-field", "ce-subject is missing", '{"value":1}', { "ce-subject": "" }],
    ["bad-video-id", "ce-subject must be", '{"value":1}', { "ce-subject": "a%20b" }],
    ["bad-event-type", "ce-type must match", '{"value":1}', { "ce-type": "view" }],
    ["bad-event-time", "ce-time must be", '{"value":1}', { "ce-time": "x" }],
    ["bad-value", "data.value must be", '{"value":9007199254740991.4}', {}],
    ["bad-value", "does not hold JSON", "{oops", {}],
    ["unknown-schema", "specversion must be 1.0", "{}", { "ce-specversion": "2.0" }],
  ] as const)("refuses as %s: %s; the dead letter is the structured event", async (reason, detail, body, changes) => {
    const headers = binary(changes);
    for (const name of Object.keys(headers)) if (headers[name] === "") delete headers[name];
    const answer = await harness.post(body, headers);
    expect(answer.body).toMatchObject({
      accepted: 0,
      rejected: [{ index: 0, reason, detail: expect.stringContaining(detail) }],
    });
    const [letter] = await harness.letters();
    expect(letter).toMatchObject({ reason, contentType: "application/cloudevents+json" });
    const source = "ce-source" in changes ? {} : { source: "/player" };
    expect(JSON.parse(text(letter!.payload))).toMatchObject({ id: "ce-1", ...source });
    // Sent again as it is, it is refused for the same reason.
    const again = await harness.post(letter!.payload, CLOUD);
    expect(again.body.rejected).toMatchObject([{ reason }]);
  });
});

it("text/plain with a JSON body is application/json", async () => {
  const headers = { "Content-Type": "text/plain;charset=UTF-8" };
  expect((await harness.post(JSON.stringify([event(), event()]), headers)).body).toEqual({ accepted: 2, rejected: [] });
  expect(await harness.post("hello", headers)).toMatchObject({ status: 400, body: { reason: "not-json" } });
});

it.each([
  ["4.9999999999999999", false],
  ["9007199254740991.4", false],
  ["1e-400", false],
  ["1e400", false],
  ["-9007199254740991.00000001", false],
  ["1.0", true],
  ["1e2", true],
  ["-0", true],
  ["9007199254740991.0", true],
])("a value written %s is accepted: %s, in every form", async (literal, isAccepted) => {
  const one = `{"eventId":"a","videoId":"v","eventType":"VIEW","value":${literal}}`;
  const escaped = one.replace('"value"', '"\\u0076alue"');
  for (const [type, body] of [
    ["application/json", one],
    ["application/json", escaped],
    ["application/json", `[${one}]`],
    ["application/json", `{"events":[${one}]}`],
    ["application/x-ndjson", `${one}\n`],
    ["text/plain", one],
    [
      "application/cloudevents+json",
      `{"specversion":"1.0","id":"a","source":"s","subject":"v","type":"VIEW","data":{"value":${literal}}}`,
    ],
  ] as const) {
    const answer = await harness.post(body, { "Content-Type": type });
    expect(answer.body).toMatchObject(
      isAccepted ? { accepted: 1 } : { accepted: 0, rejected: [{ reason: "bad-value" }] },
    );
  }
});
