// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { resolveConfig } from "../config/resolve";

export function register(program: Command): void {
  program
    .command("config")
    .description("print the effective configuration")
    .option("--data <dir>", "data folder")
    .option("--config <file>", "YAML or JSON file")
    .option("--json", "print JSON (the default is JSON, too: it is YAML)")
    .action((_flags, command: Command) => {
      process.stdout.write(`${JSON.stringify(resolveConfig(command), null, 2)}\n`);
    });
}
