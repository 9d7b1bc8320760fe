// SPDX-License-Identifier: Apache-2.0
/**
 * Lines of NDJSON, with LF or CRLF. Lines of white space alone are ignored. Every count of lines, of a file or a body,
 * counts these lines. A byte order mark before a line is not part of the line, wherever it is: concatenated files
 * contain such marks, and a body may begin anywhere in a file. The write API, `viewmill send` and backfills cut lines
 * with it.
 */
import { isUtf8 } from "node:buffer";
import { withoutBom } from "./json/json-text";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** The line's number from 1; ignored lines count. */
  number: number;
  /** The line without a byte order mark and its line end. */
  bytes: Buffer;
}

/** Returns the lines that are not ignored, at most `maxLines` of them and one more. */
export function linesOf(bytes: Buffer, firstNumber = 1, maxLines = Number.POSITIVE_INFINITY): Line[] {
  const lines: Line[] = [];
  let number = firstNumber;
  for (let start = 0; start < bytes.length && lines.length <= maxLines; number++) {
    const found = bytes.indexOf(LINE_FEED, start);
    const next = found < 0 ? bytes.length : found;
    const end = next > start && bytes[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    const line = withoutBom(bytes.subarray(start, end));
    if (!isBlank(line)) lines.push({ number, bytes: line });
    start = next + 1;
  }
  return lines;
}

function isBlank(line: Buffer): boolean {
  for (let at = 0; at < line.length; at++) {
    const code = line[at];
    if (code !== 0x20 && code !== 0x09 && code !== CARRIAGE_RETURN) return false;
  }
  return true;
}

export const NOT_UTF_8 = "the line is not UTF-8";

/** Parses a line of the catalog, or says why it cannot be parsed. */
export function jsonOfLine(line: Buffer): { ok: true; value: unknown } | { ok: false; detail: string } {
  if (!isUtf8(line)) return { ok: false, detail: NOT_UTF_8 };
  try {
    return { ok: true, value: JSON.parse(line.toString()) };
  } catch {
    return { ok: false, detail: "the line is not JSON" };
  }
}
