// SPDX-License-Identifier: Apache-2.0
/**
 * Lines of NDJSON: LF or CRLF, those of nothing but white space ignored. What counts them, in whatever file or body,
 * counts these. A byte order mark before a line is no part of it, wherever it stands: files that were put together have
 * them, and a body may begin anywhere in a file.
 */
import { withoutBom } from "./json/json-text";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** From 1; ignored lines count. */
  number: number;
  /** Without a byte order mark and its line end. */
  bytes: Buffer;
}

/** The lines that are not ignored, at most `maxLines` of them and one more. */
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
