// SPDX-License-Identifier: Apache-2.0
/** What the programs beside the benchmark (soak, stress, schemathesis) have in common on their command lines. */
import { type Command, InvalidArgumentError } from "commander";
import { commandLine } from "../cli/environment";

/** Parses an option's value. Throws InvalidArgumentError for anything but a positive number. */
export function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("a positive number");
  return number;
}

/**
 * Runs the program by its command line. A signal and a failure end it through process.exit, whose listeners stop the
 * services and remove their data.
 */
export function runProgram(program: Command): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  program.parseAsync([...commandLine()]).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
}
