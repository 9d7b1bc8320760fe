// SPDX-License-Identifier: Apache-2.0
/**
 * The error of a setting. A file of its own, because the stream's process needs the error and not the schema, whose
 * libraries take memory.
 */

/** Thrown with one clear line about a setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
