import { collected, collectorOf, type DecodeContext, type DecodedBody, tooManyEvents } from "./decoded-body";
import type { EventCollector } from "./event-collector";
import { elementSlices, withoutBom } from "./json-text";
import { parseJson } from "./parse-json";

const CONTENT_TYPE = "application/cloudevents+json";
const MAPPED = new Set(["id", "subject", "type", "time", "data"]);

/**
 * `application/cloudevents+json` (one) and `application/cloudevents-batch+json` (an array), CloudEvents 1.0 in the JSON
 * format: id, subject = videoId, type = eventType, time, data.value. Everything else is kept under `cloudevent`.
 */
export function decodeCloudEvents(body: Buffer, batch: boolean, context: DecodeContext): DecodedBody {
  const bytes = withoutBom(body);
  const parsed = parseJson(bytes);
  if (!parsed.ok) return { kind: "malformed", reason: "not-json", detail: parsed.detail };
  const { value } = parsed;
  if (Array.isArray(value) !== batch || typeof value !== "object" || value === null) {
    const detail = `the body must be ${batch ? "an array of CloudEvents" : "one CloudEvent"}`;
    return { kind: "malformed", reason: "missing-field", detail };
  }
  const events: readonly unknown[] = batch ? (value as unknown[]) : [value];
  if (events.length > context.maxEvents) return tooManyEvents(context);
  const collector = collectorOf(context);
  for (let index = 0; index < events.length; index++) addCloudEvent(collector, index, events[index]);
  const payloads = collector.rejections.length === 0 ? [] : batch ? elementSlices(bytes) : [bytes];
  return collected(collector, context, CONTENT_TYPE, (index) => payloads[index]!);
}

function addCloudEvent(collector: EventCollector, index: number, raw: unknown): void {
  if (!isObject(raw)) {
    collector.reject(index, null, "missing-field", "a CloudEvent is a JSON object with id, subject and type");
    return;
  }
  const { id, subject, type, time, data, specversion } = raw;
  if (specversion !== undefined && specversion !== "1.0") {
    const shownId = typeof id === "string" ? id.slice(0, 128) : null;
    collector.reject(index, shownId, "unknown-schema", "specversion must be 1.0");
    return;
  }
  const rest = Object.create(null) as Record<string, unknown>;
  for (const name in raw) if (!MAPPED.has(name)) rest[name] = raw[name];
  let value: unknown;
  if (isObject(data)) {
    value = data.value;
    const otherData = Object.create(null) as Record<string, unknown>;
    let others = 0;
    for (const name in data) {
      if (name === "value") continue;
      otherData[name] = data[name];
      others++;
    }
    if (others > 0) rest.data = otherData;
  } else if (data !== undefined) rest.data = data;
  collector.add({ eventId: id, videoId: subject, eventType: type, eventTime: time, value, cloudevent: rest }, index);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
