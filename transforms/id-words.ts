// SPDX-License-Identifier: Apache-2.0
/**
 * The audit's form of an id: an id that is written as a UUID in lower case is its 16 bytes, as four words, which are
 * equal exactly where the texts are. Any other id stays the bytes of its text. The recount compares ids in this form.
 */
import { hashOf } from "./byte-table";

const UUID_BYTES = 36;
const HYPHEN = 0x2d;
const NO_DIGITS = -1;
const DIGITS = Buffer.from("0123456789abcdef", "latin1");

/** The value of two hexadecimal digits by their two bytes, the first one low; NO_DIGITS for any other two bytes. */
const BYTE_OF = new Int16Array(2 ** 16).fill(NO_DIGITS);
for (let byte = 0; byte < 256; byte++) BYTE_OF[DIGITS[byte >>> 4]! | (DIGITS[byte & 15]! << 8)] = byte;

/** Writes the id [from, to) as four words. Returns false, and nothing of use in `words`, where it is no such UUID. */
export function readUuid(bytes: Uint8Array, from: number, to: number, words: Uint32Array): boolean {
  if (to - from !== UUID_BYTES) return false;
  if (bytes[from + 8] !== HYPHEN || bytes[from + 13] !== HYPHEN) return false;
  if (bytes[from + 18] !== HYPHEN || bytes[from + 23] !== HYPHEN) return false;
  const a0 = BYTE_OF[bytes[from]! | (bytes[from + 1]! << 8)]!;
  const a1 = BYTE_OF[bytes[from + 2]! | (bytes[from + 3]! << 8)]!;
  const a2 = BYTE_OF[bytes[from + 4]! | (bytes[from + 5]! << 8)]!;
  const a3 = BYTE_OF[bytes[from + 6]! | (bytes[from + 7]! << 8)]!;
  const b0 = BYTE_OF[bytes[from + 9]! | (bytes[from + 10]! << 8)]!;
  const b1 = BYTE_OF[bytes[from + 11]! | (bytes[from + 12]! << 8)]!;
  const b2 = BYTE_OF[bytes[from + 14]! | (bytes[from + 15]! << 8)]!;
  const b3 = BYTE_OF[bytes[from + 16]! | (bytes[from + 17]! << 8)]!;
  const c0 = BYTE_OF[bytes[from + 19]! | (bytes[from + 20]! << 8)]!;
  const c1 = BYTE_OF[bytes[from + 21]! | (bytes[from + 22]! << 8)]!;
  const c2 = BYTE_OF[bytes[from + 24]! | (bytes[from + 25]! << 8)]!;
  const c3 = BYTE_OF[bytes[from + 26]! | (bytes[from + 27]! << 8)]!;
  const d0 = BYTE_OF[bytes[from + 28]! | (bytes[from + 29]! << 8)]!;
  const d1 = BYTE_OF[bytes[from + 30]! | (bytes[from + 31]! << 8)]!;
  const d2 = BYTE_OF[bytes[from + 32]! | (bytes[from + 33]! << 8)]!;
  const d3 = BYTE_OF[bytes[from + 34]! | (bytes[from + 35]! << 8)]!;
  // NO_DIGITS has its sign in every bit of the sum.
  if ((a0 | a1 | a2 | a3 | b0 | b1 | b2 | b3 | c0 | c1 | c2 | c3 | d0 | d1 | d2 | d3) < 0) return false;
  words[0] = (a0 << 24) | (a1 << 16) | (a2 << 8) | a3;
  words[1] = (b0 << 24) | (b1 << 16) | (b2 << 8) | b3;
  words[2] = (c0 << 24) | (c1 << 16) | (c2 << 8) | c3;
  words[3] = (d0 << 24) | (d1 << 16) | (d2 << 8) | d3;
  return true;
}

/** Factors of `hashOfWords`, odd and secret as the seed is: with public ones, words could be chosen to cancel. */
export interface WordSeeds {
  add: number;
  a: number;
  b: number;
  c: number;
  d: number;
}

export function wordSeeds(seed: number): WordSeeds {
  const derived = (n: number) => {
    let mixed = Math.imul(seed ^ Math.imul(n, 0x9e3779b1), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ n, 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
  return { add: derived(1), a: derived(2) | 1, b: derived(3) | 1, c: derived(4) | 1, d: derived(5) | 1 };
}

/** A seeded hash of four words; 32 bits, signed. */
export function hashOfWords(seeds: WordSeeds, a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a ^ seeds.add, seeds.a);
  hash = Math.imul((hash ^ (hash >>> 15)) + b, seeds.b);
  hash = Math.imul((hash ^ (hash >>> 13)) + c, seeds.c);
  hash = Math.imul((hash ^ (hash >>> 16)) + d, seeds.d);
  return hash ^ (hash >>> 15);
}

const words = new Uint32Array(4);

/** The seeded hash of an id as text: of its words where it is a UUID, of its bytes elsewhere. */
export function hashOfId(bytes: Uint8Array, from: number, to: number, seed: number): number {
  if (!readUuid(bytes, from, to, words)) return hashOf(bytes, from, to, seed);
  return hashOfWords(wordSeeds(seed), words[0]!, words[1]!, words[2]!, words[3]!);
}
