import { cloudEventFields } from "../io/json/cloud-event";
import { elementSlices, withoutBom } from "../io/json/json-text";
import { parseJson } from "../io/json/parse-json";
import { collected, collectorOf, type DecodeContext, type DecodedBody, tooManyEvents } from "./decoded-body";
import type { EventCollector } from "./event-collector";

const CONTENT_TYPE = "application/cloudevents+json";

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
  const mapped = cloudEventFields(raw);
  if (mapped.ok) collector.add(mapped.fields, index);
  else collector.reject(index, mapped.eventId, mapped.reason, mapped.detail);
}
