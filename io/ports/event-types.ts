// SPDX-License-Identifier: Apache-2.0
/** The event types of a deployment: a set that only grows, up to a bound. A type is no place for an id. */
export interface EventTypes {
  /**
   * Takes these types into the set, in their order, while it has fewer than `bound`; in one step, whoever else asks.
   * Resolves with the whole set afterwards: what is not in it was refused. Rejects with `StoreUnavailableError`.
   */
  admit(types: readonly string[], bound: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}
