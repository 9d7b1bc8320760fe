import { isAscii, isUtf8 } from "node:buffer";
import { withoutBom } from "../io/json/json-text";
import { jsonErrorDetail } from "../io/json/parse-json";
import { collected, collectorOf, type DecodeContext, type DecodedBody, tooManyEvents } from "./decoded-body";
import type { EventCollector } from "./event-collector";

const CONTENT_TYPE = "application/x-ndjson";
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * `application/x-ndjson`: one event a line, LF or CRLF, blank lines ignored; `index` counts the lines that are not
 * blank. A line that is no JSON is refused alone.
 */
export function decodeNdjson(body: Buffer, context: DecodeContext): DecodedBody {
  const bytes = withoutBom(body);
  const lines = lineSlices(bytes, context.maxEvents);
  if (lines === undefined) return tooManyEvents(context);
  const collector = collectorOf(context);
  const textOf = lineDecoder(bytes);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (line.length > context.maxEventBytes) {
      collector.reject(index, null, "too-large", `the event is larger than ${context.maxEventBytes} bytes`);
    } else addLine(collector, index, textOf(line));
  }
  return collected(collector, context, CONTENT_TYPE, (index) => lines[index]!);
}

function addLine(collector: EventCollector, index: number, text: string | undefined): void {
  if (text === undefined) {
    collector.reject(index, null, "not-json", "the line is not valid UTF-8");
    return;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    collector.reject(index, null, "not-json", jsonErrorDetail(error));
    return;
  }
  collector.add(value, index);
}

/** The lines that are not blank, without their line ends; undefined when there are more than `maxLines`. */
function lineSlices(bytes: Buffer, maxLines: number): Buffer[] | undefined {
  const lines: Buffer[] = [];
  let start = 0;
  while (start < bytes.length) {
    const found = bytes.indexOf(LINE_FEED, start);
    const next = found < 0 ? bytes.length : found;
    const end = next > start && bytes[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    if (!isBlank(bytes, start, end)) {
      if (lines.length === maxLines) return undefined;
      lines.push(bytes.subarray(start, end));
    }
    start = next + 1;
  }
  return lines;
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = bytes[at];
    if (code !== 0x20 && code !== 0x09 && code !== CARRIAGE_RETURN) return false;
  }
  return true;
}

/** The body is checked once as a whole; only where it is not clean throughout, each line by itself. */
function lineDecoder(bytes: Buffer): (line: Buffer) => string | undefined {
  if (isAscii(bytes)) return (line) => line.toString("latin1");
  if (isUtf8(bytes)) return (line) => line.toString("utf8");
  return (line) => (isUtf8(line) ? line.toString("utf8") : undefined);
}
