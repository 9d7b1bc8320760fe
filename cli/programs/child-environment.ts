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

/**
 * Settings of glibc's allocator (mallopt(3)); other C libraries ignore them. Columns and tables are large arrays that
 * live for a pass or some minutes. glibc raises its bound for memory of its own mappings with each such array that is
 * freed, takes further ones from its heaps, and gives little of these back: the resident set of a process with a steady
 * load rose for as long as it ran. With two heaps and a bound of 128 KiB the stream took 30 MB more after five minutes
 * of 5,000 events/s; the smaller bound costs it some 5 % of its processor time.
 */
const RETURNED_MEMORY = { MALLOC_ARENA_MAX: "1", MALLOC_MMAP_THRESHOLD_: String(64 << 10) };

/** Returns the environment for a process that gives freed memory back; what `env` says about the allocator stands. */
export function withReturnedMemory(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...RETURNED_MEMORY, ...env };
}
