// SPDX-License-Identifier: Apache-2.0
/** The two generators against their published formulas, written with whole numbers instead of 32-bit operators. */
import fc from "fast-check";
import { mulberry32, sfc32 } from "../../domain/seeded-random";

const WORD = 2n ** 32n;
const word = (value: bigint): bigint => BigInt.asUintN(32, value);
const rotated = (value: bigint, bits: bigint): bigint => word((value << bits) | (value >> (32n - bits)));
const fraction = (value: bigint): number => Number(value) / Number(WORD);

function* mulberry(seed: number): Generator<number, never> {
  for (let state = word(BigInt(seed)); ; ) {
    state = word(state + 0x6d2b79f5n);
    const mixed = word((state ^ (state >> 15n)) * (state | 1n));
    const more = mixed ^ word(mixed + word((mixed ^ (mixed >> 7n)) * (mixed | 61n)));
    yield fraction(more ^ (more >> 14n));
  }
}

function* smallFast(seed: number): Generator<number, never> {
  let [a, b, c, d] = [word(0x9e3779b9n ^ BigInt(seed)), 0x243f6a88n, word(0xb7e15162n ^ BigInt(seed * 31)), 1n];
  for (let n = 0; ; n++) {
    const sum = word(a + b + d);
    d = word(d + 1n);
    a = b ^ (b >> 9n);
    b = word(c + (c << 3n));
    c = word(rotated(c, 21n) + sum);
    if (n >= 16) yield fraction(sum);
  }
}

test.each([
  ["mulberry32", mulberry32, mulberry],
  ["sfc32", sfc32, smallFast],
] as const)(
  "%s gives the numbers of its formula, from 0 to below 1, the same for the same seed",
  (_name, make, model) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 26 }), (seed) => {
        const [random, expected] = [make(seed), model(seed)];
        const found = Array.from({ length: 20 }, random);
        expect(found).toEqual(Array.from({ length: 20 }, () => expected.next().value));
        expect(found.every((value) => value >= 0 && value < 1)).toBe(true);
      }),
    );
  },
);
