// SPDX-License-Identifier: Apache-2.0

import { EventColumnsBuilder } from "../../domain/columns/event-columns";
import type { RejectionReason } from "../../domain/rejection";
import { encodeBatch } from "../../io/formats/avro/batch";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, IngestHarness, NOW_MS, text } from "./ingest-harness";

let harness: IngestHarness;
const stores = emptiedStores();
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
});
afterEach(() => harness.stop());

const good = `{"eventId":"good","videoId":"v","eventType":"VIEW"}`;
const withValue = (literal: string) => `{"eventId":"a","videoId":"v","eventType":"VIEW","value":${literal}}`;

/** One bad event as JSON text, and why it is refused. */
const BAD: [RejectionReason, string][] = [
  ["missing-field", `{"videoId":"v","eventType":"VIEW"}`],
  ["missing-field", `{"eventId":"a","eventType":"VIEW"}`],
  ["missing-field", `{"eventId":"a","videoId":"v"}`],
  ["missing-field", "null"],
  ["missing-field", `["a"]`],
  ["bad-event-id", `{"eventId":"","videoId":"v","eventType":"VIEW"}`],
  ["bad-event-id", `{"eventId":"é","videoId":"v","eventType":"VIEW"}`],
  ["bad-event-id", `{"eventId":7,"videoId":"v","eventType":"VIEW"}`],
  ["bad-video-id", `{"eventId":"a","videoId":"a b","eventType":"VIEW"}`],
  ["bad-event-type", `{"eventId":"a","videoId":"v","eventType":"view"}`],
  ["bad-event-time", `{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":"yesterday"}`],
  ["bad-event-time", `{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":1.5}`],
  ["bad-value", withValue("1.5")],
  ["bad-value", withValue('"7"')],
  ["bad-value", withValue("1e400")],
  ["bad-value", withValue("9007199254740993")],
  ["bad-value", withValue("-9007199254740992")],
  ["too-far-in-future", `{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":${NOW_MS + 300_001}}`],
  ["too-old", `{"eventId":"a","videoId":"v","eventType":"VIEW","eventTime":${NOW_MS - 30 * 86_400_000 - 1}}`],
  ["too-large", `{"eventId":"a","videoId":"v","eventType":"VIEW","note":"${"x".repeat(65_536)}"}`],
  ["too-large", `{"eventId":"${"x".repeat(65_536)}","videoId":"v","eventType":"VIEW"}`],
  ["too-large", `{"eventId":"a","videoId":"v","eventType":"VIEW","note":${"[".repeat(65)}${"]".repeat(65)}}`],
  ["too-large", `{"eventId":"a","videoId":"v","eventType":"VIEW","note":${"[".repeat(9000)}${"]".repeat(9000)}}`],
];

describe("a bad event", () => {
  it.each(BAD)("is refused alone as %s, and kept byte for byte: %s", async (reason, bad) => {
    const bodies: [string, string, string][] = [
      ["application/json", bad, "application/json"],
      ["application/json", `[ ${good} ,\t${bad}\n, ${good}]`, "application/json"],
      ["application/json", `{"a":"}]","events":[${good},${bad}],"z":[1]}`, "application/json"],
      ["application/json", `{"events":[1,2],"\\u0065vents":[${good}, ${bad} ]}`, "application/json"],
      ["application/x-ndjson", `${good}\n\n${bad}\r\n${good}\n`, "application/x-ndjson"],
    ];
    for (const [type, body, letterType] of bodies) {
      // A lone value that is no object is no event at all: the body is malformed, see below.
      if (body === bad && (bad === "null" || bad.startsWith("["))) continue;
      const answer = await harness.post(body, { "Content-Type": type });
      expect(answer.status).toBe(202);
      const index = body === bad ? 0 : 1;
      expect(answer.body.rejected).toMatchObject([{ index, reason }]);
      const letter = (await harness.letters()).at(-1)!;
      expect(letter).toMatchObject({ reason, contentType: letterType, source: "ingest", receivedAtMs: NOW_MS });
      expect(text(letter.payload) === bad).toBe(true);
      expect(letter.eventId ?? null).toBe(answer.body.rejected![0]!.eventId);
    }
    expect(await harness.deadLetters.rejectedByMinute(0, 1e9)).toEqual(
      new Map([[NOW_MS / 60_000, (await harness.letters()).length]]),
    );
  });

  it("on the edge of what is allowed is accepted", async () => {
    const edge = [
      event({ eventTime: NOW_MS + 300_000 }),
      event({ eventTime: NOW_MS - 30 * 86_400_000 }),
      event({ value: Number.MAX_SAFE_INTEGER }),
      event({ value: null }),
      event({ eventId: "~".repeat(128), videoId: "/".repeat(128), eventType: `A${"_".repeat(31)}` }),
      event({ note: "x".repeat(65_000) }),
    ];
    expect((await harness.post(JSON.stringify(edge))).body).toEqual({ accepted: 6, rejected: [] });
  });

  it("that is no JSON refuses its NDJSON line only, also when it is no UTF-8", async () => {
    const body = Buffer.concat([Buffer.from(`{oops\n${good}\n`), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from(good)]);
    const answer = await harness.post(body, { "Content-Type": "application/x-ndjson" });
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected!.map((r) => [r.index, r.reason])).toEqual([
      [0, "not-json"],
      [2, "not-json"],
    ]);
    expect((await harness.letters()).map((l) => Buffer.from(l.payload).toString("latin1"))).toEqual([
      "{oops",
      "\xff\xfe",
    ]);
  });

  it("of a batch message is kept as a JSON event that can be sent again, the good rest is accepted", async () => {
    const builder = new EventColumnsBuilder();
    const base = { videoId: "v", eventType: "VIEW", eventTimeMs: NOW_MS };
    builder.add({ ...base, eventId: "a" });
    builder.add({ ...base, eventId: "b", videoId: "not good", value: 5, extra: { note: 1 } });
    builder.add({ ...base, eventId: "c", eventTimeMs: NOW_MS + 600_000 });
    builder.add({ ...base, eventId: "d", extra: { note: "x".repeat(70_000) } });
    builder.add({ ...base, eventId: "e" });
    const message = encodeBatch(builder.build(), { receivedAtMs: 0, producerId: "p", batchId: "b" });
    const answer = await harness.post(message, { "Content-Type": "application/vnd.viewmill.batch+avro" });
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected!.map((r) => [r.index, r.eventId, r.reason])).toEqual([
      [1, "b", "bad-video-id"],
      [2, "c", "too-far-in-future"],
      [3, "d", "too-large"],
    ]);
    expect((await harness.events()).map((e) => e.eventId)).toEqual(["a", "e"]);
    const [letter] = await harness.letters();
    expect(JSON.parse(text(letter!.payload))).toEqual({
      eventId: "b",
      videoId: "not good",
      eventType: "VIEW",
      eventTime: NOW_MS,
      value: 5,
      note: 1,
    });
    expect(letter!.contentType).toBe("application/json");
  });
});

describe("a body that cannot be read at all", () => {
  it.each([
    ["not-json", "application/json", "{oops"],
    ["not-json", "application/json", Buffer.from([0x22, 0xff, 0x22])],
    ["not-json", "application/json", "[".repeat(400_000)],
    ["missing-field", "application/json", "5"],
    ["not-json", "application/cloudevents+json", "<xml/>"],
    ["missing-field", "application/cloudevents+json", "[]"],
    ["missing-field", "application/cloudevents-batch+json", "{}"],
    ["not-avro", "application/vnd.viewmill.batch+avro", "hello"],
    ["not-avro", "application/vnd.viewmill.batch+avro", Buffer.from([0xc3])],
    ["unknown-schema", "application/vnd.viewmill.batch+avro", Buffer.from("c301000000000000000000", "hex")],
  ] as const)("is a 400 problem with reason %s (%s), and is kept whole", async (reason, type, body) => {
    const answer = await harness.post(body, { "Content-Type": type });
    expect(answer.status).toBe(400);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ status: 400, reason, type: "urn:viewmill:problem:malformed-body" });
    for (const member of ["title", "detail", "instance"]) expect(answer.body[member]).toEqual(expect.any(String));
    const [letter, ...others] = await harness.letters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ reason, contentType: type });
    expect(Buffer.from(letter!.payload).equals(Buffer.from(body as string))).toBe(true);
  });

  it("because it is empty, or its compression is broken, is a 400 problem", async () => {
    expect(await harness.post("")).toMatchObject({ status: 400, body: { reason: "not-json" } });
    for (const encoding of ["gzip", "zstd"]) {
      const headers = { "Content-Type": "application/json", "Content-Encoding": encoding };
      expect(await harness.post("hello", headers)).toMatchObject({ status: 400 });
      expect(await harness.post("", headers)).toMatchObject({ status: 400 });
    }
    expect(await harness.letters()).toEqual([]);
  });
});
