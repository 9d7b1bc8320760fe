/** Lines of NDJSON: LF or CRLF, those of nothing but white space ignored. What counts them, in whatever file or body, counts these. */
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** From 1; ignored lines count. */
  number: number;
  /** Without its line end. */
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
    if (!isBlank(bytes, start, end)) lines.push({ number, bytes: bytes.subarray(start, end) });
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
