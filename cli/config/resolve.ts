// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { environment } from "../environment";
import { type ConfigFlags, loadConfig } from "./load";
import type { Config } from "./schema";

/** Returns the configuration of a command, from its own and its parents' flags. Commands call it first. */
export function resolveConfig(command: Command): Config {
  return loadConfig(command.optsWithGlobals<ConfigFlags>(), environment());
}
