// SPDX-License-Identifier: Apache-2.0
/** On every road an event gets the same verdict: accepted as the same event, or refused for the same reason. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { eventAt } from "../../domain/columns/event-columns";
import type { VideoEvent } from "../../domain/event";
import type { Content } from "../../intake/content";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { takeBody } from "../../intake/take-body";
import { takeLines } from "../../intake/take-lines";
import { takeMessage } from "../../intake/take-message";
import type { IntakeRules, Taken } from "../../intake/taken";
import { encodeBatch } from "../../io/formats/avro/batch";
import { T0 } from "../domain/model";

const NOW = T0 + 5_000;
const RETENTION_MS = 86_400_000;
const rules: IntakeRules = {
  receivedAtMs: NOW,
  rawRetentionMs: RETENTION_MS,
  limits: CONTRACT_LIMITS,
  untimed: { kind: "receipt" },
};
const message = { rawRetentionMs: RETENTION_MS };

type Verdict = { event: VideoEvent } | { reason: string };

/** The one event of what was taken. */
function verdict(taken: Taken): Verdict {
  if (taken.kind === "stamps-full") throw new Error("no stamps here");
  if (taken.kind === "problem") return { reason: taken.reason };
  const { columns, rejected } = taken;
  expect(columns.count + rejected.length).toBe(1);
  return columns.count === 1 ? { event: eventAt(columns, 0) } : { reason: rejected[0]!.reason };
}

const plain = (format: "json" | "ndjson"): Content => ({ format, encoding: "identity" });

/** Every road of an event's JSON text. */
const ROADS: Record<string, (text: string) => Taken> = {
  "one event": (text) => takeBody(Buffer.from(text), plain("json"), rules),
  "an array": (text) => takeBody(Buffer.from(`\ufeff [ ${text}\n]`), plain("json"), rules),
  "a list of events": (text) => takeBody(Buffer.from(`{"n":1.5,"events":[${text}]}`), plain("json"), rules),
  "an NDJSON line": (text) => takeBody(Buffer.from(`\n${text}\r\n`), plain("ndjson"), rules),
  "a topic's message": (text) => takeMessage(Buffer.from(text), NOW, message),
  "a topic's message, gzip": (text) => takeMessage(gzipSync(`[${text}]`), NOW, message),
  "a topic's message, zstd": (text) => takeMessage(zstdCompressSync(`{"events":[${text}]}`), NOW, message),
  "a line of a file": (text) => takeLines([Buffer.from(text)], rules),
};

const numberText = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom("1.0", "1e2", "-0", "0.0", "1e400", "-1e400", "1e-400", "4.9999999999999999", "9007199254740991.4"),
  fc.constantFrom("9007199254740991", "9007199254740992", "-9007199254740991.0", "9007199254740993", "0.1e1", "5e-1"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const timeText = fc.oneof(
  fc.integer({ min: -2 * RETENTION_MS, max: 600_000 }).map((ms) => String(NOW + ms)),
  fc.integer({ min: 299_990, max: 300_010 }).map((ms) => String(NOW + ms)),
  fc.integer({ min: -RETENTION_MS, max: 0 }).map((ms) => `"${new Date(NOW + ms).toISOString()}"`),
  fc.constantFrom(`${NOW}.0`, `${NOW}.00000000000000001`, `${NOW / 1000}e3`, "-0", '"yesterday"', "true"),
);
const key = (name: string) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(name) },
    { weight: 1, arbitrary: fc.constant(`\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}`) },
  );
const extra = fc.oneof(
  fc.constantFrom('"x"', "1.5", '{"value":1.5}', '{"a":[1.0,{"eventTime":0.5}]}', `"${"x".repeat(65_500)}"`),
  fc.integer({ min: 65_380, max: 65_536 }).map((length) => `"${"x".repeat(length)}"`),
  fc.integer({ min: 60, max: 68 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.constant(`"${"é".repeat(33_000)}"`),
);
const member = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(key(name), value).map(([written, text]) => `"${written}":${text}`);
const mostly = (good: string, ...others: string[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(good) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const eventText = fc
  .tuple(
    member("eventId", mostly('"e-1"', '"0190a0a0-0000-7000-8000-000000000001"', '""', "7", '"é"', "null")),
    member("videoId", mostly('"v"', '"a b"', `"${"v".repeat(65_537)}"`, "7", "null")),
    member("eventType", mostly('"VIEW"', '"view"', "null")),
    fc.array(
      fc.oneof(
        { weight: 4, arbitrary: member("value", numberText) },
        { weight: 3, arbitrary: member("eventTime", timeText) },
        { weight: 1, arbitrary: member("note", extra) },
      ),
      { maxLength: 4 },
    ),
    fc.nat(30),
  )
  .map(([id, video, type, others, cut]) => {
    const members = [id, video, type, ...others];
    return `{${members.filter((_, index) => index !== cut).join(", ")}}`;
  });

test("an event's JSON text gets one verdict on every road", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(eventText, (text) => {
      const verdicts = Object.entries(ROADS).map(([road, take]) => [road, verdict(take(text))] as const);
      const [, first] = verdicts[0]!;
      for (const [road, each] of verdicts) expect({ road, ...each }).toEqual({ road, ...first });
      seen.add("reason" in first ? first.reason : "accepted");
    }),
    { numRuns: 600 },
  );
  expect([...seen].sort()).toEqual(
    expect.arrayContaining([
      "accepted",
      "bad-event-time",
      "bad-value",
      "missing-field",
      "too-far-in-future",
      "too-old",
    ]),
  );
});

test("what one road accepts as columns, a batch message is accepted for on the topic and over HTTP, and the reverse", () => {
  fc.assert(
    fc.property(eventText, fc.constantFrom(0, NOW), (text, receivedAtMs) => {
      const loose = { ...rules, rawRetentionMs: Number.POSITIVE_INFINITY };
      const taken = takeLines([Buffer.from(text)], loose);
      if (taken.kind !== "events" || taken.columns.count === 0) return;
      const { columns } = taken;
      const batch = encodeBatch(columns, { receivedAtMs, producerId: "direct", batchId: "" });
      const direct = verdict(takeMessage(batch, NOW, message));
      expect(verdict(takeBody(batch, { format: "batch", encoding: "identity" }, rules))).toEqual(direct);
      const whole = verdict(takeLines([Buffer.from(text)], rules));
      // A batch's columns always have a time: the one that the event got.
      expect(direct).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test("an event as a CloudEvent is judged as the event it stands for, on every road of CloudEvents", () => {
  const mapped = fc.record({
    id: fc.constantFrom("e-1", "", "é"),
    subject: fc.constantFrom("v", "a b"),
    type: fc.constantFrom("VIEW", "view"),
    time: fc.option(
      fc.integer({ min: -2 * RETENTION_MS, max: 600_000 }).map((ms) => new Date(NOW + ms).toISOString()),
      {
        nil: undefined,
      },
    ),
    value: fc.option(numberText, { nil: undefined }),
  });
  fc.assert(
    fc.property(mapped, fc.boolean(), ({ id, subject, type, time, value }, inBase64) => {
      const plainText = `{"eventId":${JSON.stringify(id)},"videoId":"${subject}","eventType":"${type}"${
        time === undefined ? "" : `,"eventTime":"${time}"`
      }${value === undefined ? "" : `,"value":${value}`}}`;
      const expected = withoutExtra(verdict(ROADS["one event"]!(plainText)));
      const data = value === undefined ? "{}" : `{"value":${value}}`;
      const encoded = inBase64
        ? `"data_base64":"${Buffer.from(data).toString("base64")}","datacontenttype":"application/json"`
        : `"data":${data}`;
      const attributes: Record<string, string> = { specversion: "1.0", source: "/s", id, subject, type };
      if (time !== undefined) attributes.time = time;
      const cloud = `${JSON.stringify(attributes).slice(0, -1)},${encoded}}`;
      const roads: Taken[] = [
        takeBody(Buffer.from(cloud), { format: "cloudevent", encoding: "identity" }, rules),
        takeBody(Buffer.from(`[${cloud}]`), { format: "cloudevents-batch", encoding: "identity" }, rules),
        takeBody(
          Buffer.from(data),
          { format: "cloudevent-binary", encoding: "identity", attributes, dataType: "application/json" },
          rules,
        ),
        ...Object.values(ROADS).map((take) => take(cloud)),
      ];
      for (const taken of roads) expect(withoutExtra(verdict(taken))).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

function withoutExtra(each: Verdict): Verdict {
  if ("reason" in each) return each;
  const { extra: _, ...event } = each.event;
  return { event };
}
