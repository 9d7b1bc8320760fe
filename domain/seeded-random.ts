// SPDX-License-Identifier: Apache-2.0
/**
 * Seeded generators: numbers in [0, 1) in steps of 2^-32, the same ones for the same seed. `viewmill generate`, the
 * benches and the tests make the same data again with them.
 */

/** mulberry32 (public domain): one word of state, for tests and demonstrations. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by splitting one number: for models and data that figures rest on. */
export function sfc32(seed: number): () => number {
  let [a, b, c, d] = [0x9e3779b9 ^ seed, 0x243f6a88, 0xb7e15162 ^ (seed * 31), 1];
  const next = () => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}
