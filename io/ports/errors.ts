// SPDX-License-Identifier: Apache-2.0
/** A log or the dead letters have reached their bound; the caller may try again later. */
export class LogFullError extends Error {
  override readonly name = "LogFullError";
}

/** A store cannot be used now, or its content is missing or damaged. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}
