// SPDX-License-Identifier: Apache-2.0
/**
 * Cuts JSON texts into the exact bytes of their parts, because a rejected event is kept with its own bytes. The
 * intake's readers of JSON and of lines call it.
 */
import { isAscii, isUtf8 } from "node:buffer";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Returns the bytes without a UTF-8 byte order mark. */
export function withoutBom(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/**
 * Returns the bytes as text, or undefined where they are not UTF-8. ASCII is decoded the cheap way: one byte a
 * character.
 */
export function utf8Text(bytes: Buffer): string | undefined {
  if (isAscii(bytes)) return bytes.toString("latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

/**
 * Returns the exact bytes of each element of the top-level array, or of the array under the top-level key `member` (the
 * last such key, as in JSON.parse). The text must be valid JSON of that shape; the caller has parsed it before.
 */
export function elementSlices(json: Buffer, member?: string): Buffer[] {
  let at = skipSpace(json, 0);
  if (member !== undefined) at = memberValue(json, at, member) ?? at;
  const slices: Buffer[] = [];
  at = skipSpace(json, at + 1);
  while (at < json.length && json[at] !== CLOSE_ARRAY) {
    const end = skipValue(json, at);
    slices.push(json.subarray(at, end));
    at = skipSpace(json, end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  return slices;
}

/**
 * Returns the text of the value under a path of member names, each the last one of its name, as in JSON.parse. Returns
 * undefined where the path leads to no value, or where a step of the path is no object. The text must be valid JSON.
 */
export function memberText(json: Buffer, path: readonly string[]): string | undefined {
  let at = skipSpace(json, 0);
  for (const member of path) {
    if (json[at] !== OPEN_OBJECT) return undefined;
    const found = memberValue(json, at, member);
    if (found === undefined) return undefined;
    at = found;
  }
  return json.toString("utf8", at, skipValue(json, at));
}

/** Returns the position at which the member's value begins. `start` is the position of the object. */
function memberValue(json: Buffer, start: number, member: string): number | undefined {
  let found: number | undefined;
  let at = skipSpace(json, start + 1);
  while (at < json.length && json[at] !== CLOSE_OBJECT) {
    const keyEnd = skipString(json, at);
    const key = JSON.parse(json.toString("utf8", at, keyEnd)) as string;
    at = skipSpace(json, keyEnd);
    if (json[at] === COLON) at = skipSpace(json, at + 1);
    if (key === member) found = at;
    at = skipSpace(json, skipValue(json, at));
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  return found;
}

function skipSpace(json: Buffer, start: number): number {
  let at = start;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at++;
  return at;
}

function skipString(json: Buffer, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === BACKSLASH) at++;
    else if (json[at] === QUOTE) return at + 1;
  }
  return json.length;
}

function skipValue(json: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const code = json[at]!;
    if (code === QUOTE) {
      at = skipString(json, at) - 1;
      if (depth === 0) return at + 1;
    } else if (code === OPEN_ARRAY || code === OPEN_OBJECT) depth++;
    else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (code === COMMA || code <= 0x20)) return at;
  }
  return json.length;
}
