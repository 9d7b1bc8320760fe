// SPDX-License-Identifier: Apache-2.0
/** The intake's parser of JSON bytes, and its wording of a syntax error for the client that sent them. */
import { DEPTH_SCAN_BYTES, MAX_JSON_DEPTH, nestsDeeperThan } from "../../domain/json-depth";
import { utf8Text } from "./json-text";

type ParsedJson = { ok: true; value: unknown } | { ok: false; detail: string };

/** Parses bytes, without a byte order mark, into a JSON value. */
export function parseJson(bytes: Buffer): ParsedJson {
  if (bytes.length === 0) return { ok: false, detail: "the body is empty" };
  const text = utf8Text(bytes);
  if (text === undefined) return { ok: false, detail: "the text is not valid UTF-8" };
  if (bytes.length > DEPTH_SCAN_BYTES && nestsDeeperThan(bytes, MAX_JSON_DEPTH)) {
    return { ok: false, detail: `the JSON is nested deeper than ${MAX_JSON_DEPTH} levels` };
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ok: false, detail: jsonErrorDetail(error) };
  }
}

/** Bounds the text that V8 quotes around the fault, and removes control characters. */
export function jsonErrorDetail(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\p{Cc}/gu, " ").slice(0, 200);
}
