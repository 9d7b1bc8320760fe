// SPDX-License-Identifier: Apache-2.0
/** Batches outside the log, which carries a reference to each of them (claim check). */
export interface ClaimStore {
  /** Writes a claim; durable when it resolves. `name` is unique. */
  write(name: string, content: Uint8Array): Promise<void>;
  /** Reads a claim. Rejects with `ClaimMissingError` where no claim has that name. */
  read(name: string): Promise<Uint8Array>;
}

export class ClaimMissingError extends Error {
  override readonly name = "ClaimMissingError";
}
