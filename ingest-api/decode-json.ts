import { elementSlices, withoutBom } from "../io/json/json-text";
import { parseJson } from "../io/json/parse-json";
import { collected, collectorOf, type DecodeContext, type DecodedBody, tooManyEvents } from "./decoded-body";

const CONTENT_TYPE = "application/json";

/**
 * `application/json`: one event, an array of events, or `{"events": [...]}`. An object with an eventId is an event,
 * also when one of its unknown fields is called `events`.
 */
export function decodeJson(body: Buffer, context: DecodeContext): DecodedBody {
  const bytes = withoutBom(body);
  const parsed = parseJson(bytes);
  if (!parsed.ok) return { kind: "malformed", reason: "not-json", detail: parsed.detail };
  const { value } = parsed;
  if (Array.isArray(value)) return decodeList(value, context, () => elementSlices(bytes));
  if (typeof value !== "object" || value === null) {
    const detail = 'the body must be an event, an array of events or {"events": [...]}';
    return { kind: "malformed", reason: "missing-field", detail };
  }
  if (isWrapper(value)) return decodeList(value.events, context, () => elementSlices(bytes, "events"));
  return decodeList([value], context, () => [bytes]);
}

function decodeList(events: readonly unknown[], context: DecodeContext, slices: () => Buffer[]): DecodedBody {
  if (events.length > context.maxEvents) return tooManyEvents(context);
  const collector = collectorOf(context);
  for (let index = 0; index < events.length; index++) collector.add(events[index], index);
  const payloads = collector.rejections.length > 0 ? slices() : [];
  return collected(collector, context, CONTENT_TYPE, (index) => payloads[index]!);
}

function isWrapper(value: object): value is { events: unknown[] } {
  return (
    Object.hasOwn(value, "events") && !Object.hasOwn(value, "eventId") && Array.isArray(Reflect.get(value, "events"))
  );
}
