// SPDX-License-Identifier: Apache-2.0
/** A store that tells cheaply whether a read may find something else than before. */
export interface Versioned {
  /**
   * Returns a number of this process's own, which is another one after every commit to the store, whoever made it.
   * Throws `StoreUnavailableError`.
   */
  version(): number;
}
