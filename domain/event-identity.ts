// SPDX-License-Identifier: Apache-2.0
/**
 * The binary form of an eventId, and its way back to text. Blocks, Avro batches and archive objects store ids in this
 * form, and deduplication compares them in it.
 */
import { hash } from "node:crypto";

/**
 * An eventId as 128 bits. A UUID in its canonical form (lower case, version 1..8, variant 10) is its own 16 bytes. Any
 * other id is the first 128 bits of its SHA-256 with the two variant bits (top of byte 8) set to 11, which no such UUID
 * has: the two kinds cannot collide, whatever ids a client chooses.
 */
export const ID_BYTES = 16;

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) HEX["0123456789abcdef".charCodeAt(digit)] = digit;
const BYTE_TO_HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** The position at which each of the 16 bytes starts in `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
const BYTE_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/**
 * Writes the 16 bytes at `out[offset]`. Returns true for a UUID. Returns false for a hashed id, whose text must travel
 * beside its bytes.
 */
export function writeEventId(eventId: string, out: Uint8Array, offset: number): boolean {
  if (writeUuid(eventId, out, offset)) return true;
  const digest = hash("sha256", eventId, "buffer");
  for (let i = 0; i < ID_BYTES; i++) out[offset + i] = digest[i]!;
  out[offset + 8] = digest[8]! | 0xc0;
  return false;
}

const codes = new Uint8Array(36);

function writeUuid(eventId: string, out: Uint8Array, offset: number): boolean {
  if (eventId.length !== 36) return false;
  for (let i = 0; i < 36; i++) codes[i] = eventId.charCodeAt(i);
  return writeUuidText(codes, 0, out, offset);
}

/** Writes the 16 bytes from the 36 ASCII bytes of a UUID's text. Returns false where the text is no canonical UUID. */
export function writeUuidText(text: Uint8Array, start: number, out: Uint8Array, offset: number): boolean {
  if (text[start + 8] !== 0x2d || text[start + 13] !== 0x2d || text[start + 18] !== 0x2d || text[start + 23] !== 0x2d) {
    return false;
  }
  for (let i = 0; i < ID_BYTES; i++) {
    const at = start + BYTE_AT[i]!;
    const high = HEX[text[at]!]!;
    const low = HEX[text[at + 1]!]!;
    if ((high | low) < 0) return false;
    out[offset + i] = (high << 4) | low;
  }
  return isUuidBytes(out, offset);
}

/** Returns whether the 16 bytes are those of a canonical UUID (version 1..8, variant 10). */
export function isUuidBytes(bytes: Uint8Array, offset: number): boolean {
  const version = bytes[offset + 6]! >>> 4;
  return version >= 1 && version <= 8 && bytes[offset + 8]! >>> 6 === 2;
}

/** Returns whether the 16 bytes are those of a hashed id. */
export function isHashedIdBytes(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset + 8]! >>> 6 === 3;
}

/** Returns the canonical text of 16 UUID bytes. */
export function uuidText(bytes: Uint8Array, offset: number): string {
  let text = "";
  for (let i = 0; i < ID_BYTES; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += BYTE_TO_HEX[bytes[offset + i]!];
  }
  return text;
}
