// SPDX-License-Identifier: Apache-2.0
/** Batches kept outside of the log, which carries a reference instead (claim check). */
export interface ClaimStore {
  /** Durable when it resolves; `name` is unique. */
  write(name: string, content: Uint8Array): Promise<void>;
  /** Rejects with `ClaimMissingError` where there is none of that name. */
  read(name: string): Promise<Uint8Array>;
}

export class ClaimMissingError extends Error {
  override readonly name = "ClaimMissingError";
}
