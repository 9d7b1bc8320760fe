// SPDX-License-Identifier: Apache-2.0
/** Ids of events: the client makes one for each event that has none. */

const POOL_BYTES = 4096;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

let pool = new Uint8Array(0);
let used = 0;

/**
 * Returns a UUID version 7 (RFC 9562, 5.7): 48 bits of epoch milliseconds, then random bits of the platform's
 * generator.
 */
export function uuidV7(timeMs: number): string {
  if (used + 10 > pool.length) {
    pool = globalThis.crypto.getRandomValues(new Uint8Array(POOL_BYTES));
    used = 0;
  }
  const random = pool.subarray(used, used + 10);
  used += 10;
  return uuidV7From(timeMs, random);
}

/** Returns the UUIDv7 of this time and these 10 bytes. */
export function uuidV7From(timeMs: number, random: Uint8Array): string {
  const time = Math.floor(timeMs).toString(16).padStart(12, "0");
  const hex = (i: number) => HEX[random[i]!]!;
  const version = HEX[0x70 | (random[0]! & 0x0f)]!;
  const variant = HEX[0x80 | (random[2]! & 0x3f)]!;
  const node = hex(4) + hex(5) + hex(6) + hex(7) + hex(8) + hex(9);
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(1)}-${variant}${hex(3)}-${node}`;
}
