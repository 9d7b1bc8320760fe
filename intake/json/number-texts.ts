/**
 * Finds the numbers whose double may not say what their text says. `4.9999999999999999` and `9007199254740991.4` are integers once they are doubles;
 * only a text with a fraction or an exponent can be such a number, and only the members that must be integers matter.
 */

/** What PLAIN_KEYS finds ends so: two letters to look for are found much faster than three names. */
const ENDINGS = /e"\s*:\s*-?\d+[.eE]/;
/** A member that must be an integer with a number that is written with a fraction or an exponent. */
const PLAIN_KEYS = /"(?:value|eventTime|time)"\s*:\s*-?\d+[.eE]/;
/** As PLAIN_KEYS, where letters of a key are escaped, which takes `\\u`: any key that has an escape is looked at. */
const ESCAPED_KEYS = /"[^"\\]*\\[^"]*"\s*:\s*-?\d+[.eE]/;

/** Whether a JSON text may hold a number that has to be judged by its text. Most have none: the answer costs one search. */
export function mayHideFractions(json: string): boolean {
  return (ENDINGS.test(json) && PLAIN_KEYS.test(json)) || (json.includes("\\u") && ESCAPED_KEYS.test(json));
}
