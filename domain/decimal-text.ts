// SPDX-License-Identifier: Apache-2.0
const DECIMAL = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * Returns whether a decimal text, as JSON (RFC 8259, section 6) writes numbers, is an integer. `1.0` and `1e2` are
 * integers; `4.9999999999999999` and `1e-400` are not, though a double rounds them to 5 and 0. The caller checks bounds
 * on the double: no integer beyond 2^53-1 rounds to one within. The check of an event uses it for values and times, the
 * read API for parameters, and the command line for numbers.
 */
export function isIntegerText(text: string): boolean {
  const match = DECIMAL.exec(text);
  if (match === null) return false;
  const [, whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  if (end === 0) return true;
  // The last digit that is not 0 stands for 10 to this power.
  return Number(exponent) + whole.length - end >= 0;
}
