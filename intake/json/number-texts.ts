// SPDX-License-Identifier: Apache-2.0
/**
 * Finds the numbers whose double may not say what their text says: `4.9999999999999999`, `9007199254740991.4` and
 * `1e-400` are integers once they are doubles. Only a text with a fraction or an exponent can be such a number, and
 * only the members that must be integers matter.
 *
 * A double holds an integer n that is not 0 to within n * 2^-53. A decimal that is no integer and still rounds to n
 * therefore has 16 significant digits at least. So most events are cleared by one look at every sixteenth byte; zero
 * alone can stand for a short text (underflow). The collector (event-collector.ts) asks it for the numbers of each
 * event.
 */
import { memberText } from "./json-text";

const LEAST_DIGITS = 16;

/** Every match of PLAIN_KEYS ends in this form: a search for two letters is much faster than one for whole names. */
const ENDINGS = /e"\s*:\s*-?\d+[.eE]/;
/** Matches a member that must be an integer, with a number that has a fraction or an exponent. */
const PLAIN_KEYS = /"(?:value|eventTime)"\s*:\s*-?\d+[.eE]/;
/** Matches as PLAIN_KEYS does where letters of a key are escaped, which takes `\\u`. Any key with an escape matches. */
const ESCAPED_KEYS = /"[^"\\]*\\[^"]*"\s*:\s*-?\d+[.eE]/;

/** The JSON text from which events were parsed. */
export interface NumberSource {
  /**
   * Returns the text of a number under a path of member names in the event at an index. Returns undefined where the
   * double equals the text.
   */
  doubtfulText(number: number, index: number, path: readonly string[]): string | undefined;
}

/** Events that form one JSON text together. */
export class NumbersOfBody implements NumberSource {
  private hasLongNumber: boolean | undefined;
  private hasFraction: boolean | undefined;

  constructor(
    private readonly json: Buffer,
    private readonly events: () => readonly Buffer[],
  ) {}

  doubtfulText(number: number, index: number, path: readonly string[]): string | undefined {
    if (number !== 0) {
      this.hasLongNumber ??= holdsLongNumber(this.json);
      if (!this.hasLongNumber) return undefined;
    }
    this.hasFraction ??= mayHoldFraction(this.json);
    return this.hasFraction ? (memberText(this.events()[index]!, path) ?? "") : undefined;
  }
}

/** Events with a JSON text each. */
export class NumbersOfTexts implements NumberSource {
  constructor(private readonly texts: readonly Buffer[]) {}

  doubtfulText(number: number, index: number, path: readonly string[]): string | undefined {
    const json = this.texts[index]!;
    if ((number !== 0 && !holdsLongNumber(json)) || !mayHoldFraction(json)) return undefined;
    return memberText(json, path) ?? "";
  }
}

/**
 * Returns whether a run of digits, with a decimal point, is as long as a doubtful number needs. A run that long covers
 * one of the inspected bytes.
 */
function holdsLongNumber(json: Buffer): boolean {
  for (let at = LEAST_DIGITS - 1; at < json.length; at += LEAST_DIGITS) {
    if (!isDigitOrPoint(json[at])) continue;
    let start = at;
    while (isDigitOrPoint(json[start - 1])) start--;
    let end = at + 1;
    while (isDigitOrPoint(json[end])) end++;
    if (end - start >= LEAST_DIGITS) return true;
  }
  return false;
}

const isDigitOrPoint = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2e);

/** Returns whether a member that must be an integer has a fraction or an exponent. The search is for ASCII alone. */
function mayHoldFraction(json: Buffer): boolean {
  const text = json.toString("latin1");
  return (ENDINGS.test(text) && PLAIN_KEYS.test(text)) || (text.includes("\\u") && ESCAPED_KEYS.test(text));
}
