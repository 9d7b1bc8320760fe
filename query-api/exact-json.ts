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

/**
 * Returns the double nearest to sum / count (one rounding of the integer part, one of the rest); null where count is 0.
 */
export function average(sum: bigint, count: number): number | null {
  if (count === 0) return null;
  const divisor = BigInt(count);
  return Number(sum / divisor) + Number(sum % divisor) / count;
}
