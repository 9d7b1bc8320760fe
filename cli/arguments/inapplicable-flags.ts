// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { ConfigError } from "../config/config-error";

/**
 * Throws a ConfigError that names each of these flags (by its name in the action's flags, such as takeOverFrom) on the
 * command line. Commands call it where some of their flags have a meaning for one runner or one adapter alone.
 */
export function refuseFlags(command: Command, names: readonly string[], why: string): void {
  const given = names
    .filter((name) => command.getOptionValueSource(name) === "cli")
    .map((name) => flagOf(command, name));
  if (given.length > 0) throw new ConfigError(`${given.join(", ")}: ${why}`);
}

function flagOf(command: Command, name: string): string {
  const option = command.options.find((each) => each.attributeName() === name);
  return option?.long ?? name;
}
