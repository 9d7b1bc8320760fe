// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { resolveConfig } from "../config/load";
import { readSecret } from "../config/secret-file";

/** The option of every command that speaks with a service. */
export const withKeyOption = (command: Command): Command =>
  command.option("--key-file <file>", "holds the key for the service (default: keys.file of the configuration)");

/** What a command sends with every request to the service; nothing without a key. Throws SecretFileError. */
export function keyHeaders(command: Command): Readonly<Record<string, string>> {
  const { file } = resolveConfig(command).keys;
  return file === "" ? {} : { Authorization: `Bearer ${readSecret(file, "keys.file")}` };
}
