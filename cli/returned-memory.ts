// SPDX-License-Identifier: Apache-2.0
/**
 * Settings under which a process gives freed memory back: the service and its stream run for months. Loads nothing that
 * an older Node lacks. cli/main.ts and the supervisor of the stream use it.
 */
import { environment } from "./environment";

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

/**
 * Starts this process again, in its place and with the same arguments, so that the allocator takes the settings. Does
 * nothing where the environment has settings of the allocator, where the allocator is another one, and where a parent
 * holds a channel to this process, which would be closed.
 */
export function restartWithReturnedMemory(args: readonly string[]): void {
  const env = environment();
  const isSet = Object.keys(RETURNED_MEMORY).some((name) => env[name] !== undefined);
  if (isSet || process.platform !== "linux" || process.connected) return;
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...args], withReturnedMemory(env));
}
