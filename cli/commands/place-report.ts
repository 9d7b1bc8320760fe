// SPDX-License-Identifier: Apache-2.0
/**
 * The output of every `init` command (`viewmill kafka init`, `bigtable init` and the others): which places are missing
 * or wrong.
 */
import type { Command } from "commander";
import { isAsItMustBe, type Place } from "../../io/ports/places";

/** The exit status of `--check` where a place differs, and of an `init` that may not correct it. */
const EXIT_DIFFERENT = 3;

export interface InitFlags {
  check?: boolean;
  json?: boolean;
}

/** Adds the flags of every `init`. */
export const initOptions = (command: Command): Command =>
  command
    .option("--check", "change nothing: say what differs, and end with status 3 where anything does")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON");

/** Prints each place with its differences, and sets the exit status. */
export function report(places: readonly Place[], json: boolean | undefined): void {
  if (!places.every(isAsItMustBe)) process.exitCode = EXIT_DIFFERENT;
  if (json === true) {
    process.stdout.write(`${JSON.stringify(places)}\n`);
    return;
  }
  for (const { kind, name, outcome, differences } of places) {
    process.stdout.write(`${outcome.padEnd(9)}  ${kind.padEnd(12)}  ${name}\n`);
    for (const difference of differences) process.stdout.write(`           ${difference}\n`);
  }
}
