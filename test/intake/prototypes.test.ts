// SPDX-License-Identifier: Apache-2.0
/** Names that JavaScript's prototypes know are data like any other, and a prototype gives an event no field. */
import { contentOf } from "../../intake/content";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { takeBody } from "../../intake/take-body";
import { takeBinaryCloudEvent } from "../../intake/take-json";
import type { IntakeRules, TakenEvents } from "../../intake/taken";
import { T0 } from "../domain/model";

const RULES: IntakeRules = {
  ...{ receivedAtMs: T0, rawRetentionMs: Number.POSITIVE_INFINITY, limits: CONTRACT_LIMITS },
  untimed: { kind: "receipt" },
};

function taken(body: string, headers: Record<string, string>): TakenEvents {
  const content = contentOf(headers);
  if ("unsupported" in content) throw new Error(content.unsupported);
  const result = takeBody(Buffer.from(body), content.content, RULES);
  if (result.kind !== "events") throw new Error(`taken as ${result.kind}`);
  return result;
}

const STRUCTURED = { "content-type": "application/cloudevents+json" };
const PLAIN = { "content-type": "application/json" };
const BINARY = {
  ...PLAIN,
  "ce-id": "e",
  "ce-subject": "v",
  "ce-type": "VIEW",
  "ce-source": "s",
  "ce-specversion": "1.0",
};
const cloudEvent = (more: string) => `{"id":"e","source":"s","subject":"v","type":"VIEW","specversion":"1.0",${more}}`;
/** The fields that are kept beside the known ones, as their JSON text. */
const kept = (body: string, headers: Record<string, string>) => taken(body, headers).columns.extras!.get(0);

it("an attribute of a CloudEvent named __proto__ is kept", () => {
  expect(kept(cloudEvent(`"__proto__":{"id":"x"},"constructor":1`), STRUCTURED)).toBe(
    '{"cloudevent":{"source":"s","specversion":"1.0","__proto__":{"id":"x"},"constructor":1}}',
  );
});

it.each<[string, string, Record<string, string>]>([
  ["in a structured CloudEvent", cloudEvent(`"data":{"__proto__":{"value":7},"toString":2,"value":3}`), STRUCTURED],
  ["in binary mode", '{"__proto__":{"value":7},"toString":2,"value":3}', BINARY],
])("data named __proto__ %s is kept beside the value", (_where, body, headers) => {
  const { columns } = taken(body, headers);
  expect(columns.values?.[0]).toBe(3);
  const { cloudevent } = JSON.parse(columns.extras!.get(0)!) as { cloudevent: { data: object } };
  expect(JSON.stringify(cloudevent.data)).toBe('{"__proto__":{"value":7},"toString":2}');
});

it("data that has __proto__ alone has no value", () => {
  const data = '{"__proto__":{"value":7}}';
  const inBase64 = Buffer.from(data).toString("base64");
  for (const member of [`"data":${data}`, `"data_base64":"${inBase64}"`])
    expect(taken(cloudEvent(member), STRUCTURED).columns.values).toBeUndefined();
});

/** Runs while every object of the process seems to have the member, as after a fault elsewhere in it. */
function polluted<T>(name: string, value: unknown, run: () => T): T {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false });
  try {
    return run();
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
}

const EVENT = `{"eventId":"e","videoId":"v","eventType":"VIEW"}`;

it("an event has its own fields alone, whatever Object.prototype holds", () => {
  const ofList = polluted("eventId", "inherited", () => taken(`{"events":[${EVENT},${EVENT}]}`, PLAIN));
  expect(ofList.columns.count).toBe(2);
  const single = polluted("events", [], () => taken(`{"videoId":"v","eventType":"VIEW"}`, PLAIN));
  expect(single.rejected).toMatchObject([{ reason: "missing-field" }]);
  const binary = { attributes: { id: "e", subject: "v", type: "VIEW" }, dataType: "application/json" };
  const unversioned = polluted("specversion", "1.0", () => takeBinaryCloudEvent(Buffer.from("{}"), binary, RULES));
  expect(unversioned).toMatchObject({ rejected: [{ detail: "ce-specversion is missing" }] });
});

it("the attributes of a CloudEvent in binary mode have no prototype that could give one", () => {
  const found = contentOf(BINARY);
  if (!("content" in found) || found.content.format !== "cloudevent-binary") throw new Error("not binary");
  expect(Object.getPrototypeOf(found.content.attributes)).toBeNull();
});
