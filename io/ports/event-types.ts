// SPDX-License-Identifier: Apache-2.0
/** The event types of a deployment: a set that only grows, up to a bound. The bound keeps ids out of the types. */
export interface EventTypes {
  /**
   * Adds these types to the set, in their order, while it has fewer than `bound`, atomically across all callers.
   * Resolves with the whole set afterwards; a type that is missing in it was refused. Rejects with
   * `StoreUnavailableError`.
   */
  admit(types: readonly string[], bound: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}
