// SPDX-License-Identifier: Apache-2.0
/** Numbers of any size in answers, which totals and series are written with. */

/** A number whose text enters JSON unchanged (JSON.rawJSON, V8 11.4 and later; not yet in TypeScript's lib). */
type ExactNumber = number | { readonly rawJSON: string };

const { rawJSON } = JSON as unknown as { rawJSON(text: string): { readonly rawJSON: string } };

/** Returns a value that JSON.stringify writes as exactly this integer, also beyond 2^53. */
export function exactInteger(value: bigint): ExactNumber {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
    ? Number(value)
    : rawJSON(value.toString());
}

/** Bits of a quotient below its point: with these, a sum of 2^53 or more has more bits than a double holds. */
const FRACTION_BITS = 64n;
const FRACTION = 2 ** Number(FRACTION_BITS);

/** Returns the double nearest to sum / count, in one rounding; null where count is 0. */
export function average(sum: bigint, count: number): number | null {
  if (count === 0) return null;
  const rounded = Number(sum);
  if (Number.isSafeInteger(rounded)) return rounded / count;
  const [divisor, size] = [BigInt(count), sum < 0n ? -sum : sum];
  const scaled = size << FRACTION_BITS;
  // The last bit says that there is a rest, which decides between two doubles that are equally near.
  const quotient = (scaled / divisor) | (scaled % divisor === 0n ? 0n : 1n);
  return ((sum < 0n ? -1 : 1) * Number(quotient)) / FRACTION;
}
