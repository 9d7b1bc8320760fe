// SPDX-License-Identifier: Apache-2.0
/**
 * A bound on the nesting of JSON texts. The intake applies it before it parses what a client sent, and the Avro codec
 * before it parses an event's extra fields.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * The size above which the depth of a JSON text is scanned before it is parsed. V8 takes 1.6 s and 390 MB for 8 MiB of
 * `[` (measured, Node 24.21); a text below the bound costs some 50 ms at most.
 */
export const DEPTH_SCAN_BYTES = 256 << 10;

/** The deepest nesting of a whole JSON text, far beyond that of any event. */
export const MAX_JSON_DEPTH = 500;

/** Returns whether brackets outside strings nest deeper than `maxDepth`. The text need not be valid JSON. */
export function nestsDeeperThan(text: string | Uint8Array, maxDepth: number): boolean {
  const length = text.length;
  if (length <= maxDepth) return false;
  const at = typeof text === "string" ? (i: number) => text.charCodeAt(i) : (i: number) => text[i]!;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < length; i++) {
    const code = at(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > maxDepth) return true;
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--;
  }
  return false;
}
