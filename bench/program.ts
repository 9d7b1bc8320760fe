// SPDX-License-Identifier: Apache-2.0
/** What the programs beside the benchmark (soak, stress, schemathesis) have in common on their command lines. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { commandLine } from "../cli/environment";

/** Parses an option's value. Throws InvalidArgumentError for anything but a positive number. */
export function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("a positive number");
  return number;
}

/** Writes the page into the file of `--markdown`, whose folder is made; nothing where no file was asked for. */
export function writePage(page: string, file: string | undefined): void {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, page);
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
