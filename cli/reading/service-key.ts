// SPDX-License-Identifier: Apache-2.0
/** The access key with which commands call a service, from a flag or a file. */
import type { Command } from "commander";
import { resolveConfig } from "../config/resolve";
import { readSecret } from "../config/secret-file";

/** Adds the key option of every command that calls a service. */
export const withKeyOption = (command: Command): Command =>
  command.option("--key-file <file>", "holds the key for the service (default: keys.file of the configuration)");

/** Returns the key's header for every request to the service; no header without a key. Throws SecretFileError. */
export function keyHeaders(command: Command): Readonly<Record<string, string>> {
  const { file } = resolveConfig(command).keys;
  return file === "" ? {} : { Authorization: `Bearer ${readSecret(file, "keys.file")}` };
}
