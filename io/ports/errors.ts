// SPDX-License-Identifier: Apache-2.0
export class LogFullError extends Error {
  override readonly name = "LogFullError";
}

export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}
