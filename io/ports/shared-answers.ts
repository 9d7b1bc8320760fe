// SPDX-License-Identifier: Apache-2.0
/** The port by which instances of the service share answers of the read API; io/redis/ implements it. */

/** What was found under a key. */
export interface FoundAnswer {
  /** Undefined: nothing is kept, or it cannot be had. */
  text: string | undefined;
  /** The greatest age that the text may have now, milliseconds since the `find` before which it was read. */
  ageMs: number;
  /** When this `find` was made, on the clock of the store; undefined where the store cannot be reached. */
  since: number | undefined;
}

/**
 * Answers that all instances of a service share for a moment. Nothing depends on them: what cannot be had in time is
 * not there, and no method rejects.
 */
export interface SharedAnswers {
  find(key: string): Promise<FoundAnswer>;
  /**
   * Keeps a text that was read after the `find` that gave `since`; it is found for at most `keptMs` after that `find`.
   * Does not wait.
   */
  keep(key: string, text: string, since: number, keptMs: number): void;
  close(): Promise<void>;
}
