// SPDX-License-Identifier: Apache-2.0
/** What every adapter throws and every caller of a port may expect: the store is full, or away. */
export class LogFullError extends Error {
  override readonly name = "LogFullError";
}

export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}
