// SPDX-License-Identifier: Apache-2.0
/** Whole numbers on the command line. Commands give these functions to their numeric options. */
import { InvalidArgumentError } from "commander";
import { isIntegerText } from "../../domain/decimal-text";

/**
 * Reads an option's text as a whole number within these bounds. The text decides, because its double may be rounded.
 */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!isIntegerText(text) || !Number.isSafeInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`);
    }
    return value;
  };
}

export const positiveInteger = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/** A TCP port to listen on; 0: any free port. */
export const portOption = wholeNumber(0, 65_535);
