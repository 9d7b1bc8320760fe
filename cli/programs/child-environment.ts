// SPDX-License-Identifier: Apache-2.0
/** The environment of the processes that the service starts: its stream and its scheduled commands. */
import { hasPrefix } from "../config/variables";

/**
 * Returns the variables that a process needs beside its settings file: credentials, proxies, authorities, the home
 * folder. The service starts its stream and its scheduled commands with them. Variables of settings are left out,
 * because the file has their values, and flags take precedence over them.
 */
export function environmentOfChild(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hasPrefix(name)));
}
