// SPDX-License-Identifier: Apache-2.0
/** The judgement of NDJSON: take-body.ts calls it for bodies, and a backfill for each block of its file. */
import { isAscii, isUtf8 } from "node:buffer";
import { EventCollector } from "./event-collector";
import { type NumberSource, NumbersOfBody, NumbersOfTexts } from "./json/number-texts";
import { jsonErrorDetail, parseJson } from "./json/parse-json";
import { linesOf } from "./lines";
import { tooManyEvents } from "./take-json";
import type { IntakeRules, Taken } from "./taken";

export const NDJSON_TYPE = "application/x-ndjson";

/** A longer line is parsed with the care of a body (depth). */
const LONG_LINE_BYTES = 64 << 10;

/**
 * Judges `application/x-ndjson`: one event a line, LF or CRLF, blank lines ignored. `index` counts the lines that are
 * not blank. A line that is no JSON is refused alone.
 */
export function takeNdjson(bytes: Buffer, rules: IntakeRules): Taken {
  const { maxEvents } = rules.limits;
  const lines = linesOf(bytes, 1, maxEvents);
  if (lines.length > maxEvents) return tooManyEvents(maxEvents, bytes, NDJSON_TYPE);
  const payloads = lines.map((line) => line.bytes);
  return takeLines(
    payloads,
    rules,
    isAscii(bytes) ? "ascii" : isUtf8(bytes) ? "utf-8" : "unknown",
    new NumbersOfBody(bytes, () => payloads),
  );
}

/**
 * Judges events of one line each, of a body or a file. `charset` is the known encoding of all lines; without it each
 * line is inspected.
 */
export function takeLines(
  lines: readonly Buffer[],
  rules: IntakeRules,
  charset: "ascii" | "utf-8" | "unknown" = "unknown",
  numbers: NumberSource = new NumbersOfTexts(lines),
): Taken {
  const collector = new EventCollector(rules);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    const parsed = line.length > LONG_LINE_BYTES ? parseJson(line) : parseLine(line, charset);
    if (parsed.ok) collector.add(parsed.value, index, numbers);
    else collector.reject(index, null, "not-json", parsed.detail);
  }
  return collector.taken(() => lines, NDJSON_TYPE);
}

function parseLine(line: Buffer, charset: "ascii" | "utf-8" | "unknown"): ReturnType<typeof parseJson> {
  if (charset === "unknown" && !isUtf8(line)) return { ok: false, detail: "the line is not valid UTF-8" };
  const text = line.toString(charset === "ascii" ? "latin1" : "utf8");
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ok: false, detail: jsonErrorDetail(error) };
  }
}
