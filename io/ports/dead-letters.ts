// SPDX-License-Identifier: Apache-2.0
/**
 * The store of what was rejected, whole. The write API and the pipelines append, /v1/dead-letters and the command of
 * that name list and replay; io/sqlite/ and io/gcs/ implement the port.
 */
import type { RejectionReason } from "../../domain/rejection";

export interface NewDeadLetter {
  receivedAtMs: number;
  reason: RejectionReason;
  detail: string;
  eventId?: string;
  /** The rejected event or message, byte for byte. */
  payload: Uint8Array;
  /** The media type under which `payload` would be sent again, e.g. `application/json`. */
  contentType: string;
  source: "ingest" | "pipeline";
}

export interface DeadLetter extends NewDeadLetter {
  /** Opaque, at most 200 printable ASCII characters without spaces; unique in the store. */
  id: string;
  replayedAtMs?: number;
}

export interface LetterQuery {
  afterId?: string;
  limit: number;
  reason?: RejectionReason;
  replayed?: boolean;
}

/** A letter may be a whole body, so that letters are bounded by their number and by their bytes. */
export const LISTED_BYTES = 16 << 20;

export interface DeadLetters {
  /**
   * Appends letters; durable when it resolves. Rejects with `StoreUnavailableError` or, past the size bound (where the
   * store has one), `LogFullError`.
   */
  append(letters: readonly NewDeadLetter[]): Promise<void>;
  /**
   * Returns letters in the order of their ids, at most `limit`, and at least one where there is one. It returns fewer
   * than there are where their payloads pass LISTED_BYTES: the caller asks again after the last one until none is left.
   */
  list(query: LetterQuery): Promise<DeadLetter[]>;
  /**
   * Counts the letters of a reason that wait for a replay, at most `most` of them, and holds none meanwhile. `newest`:
   * the newest of the counted ones.
   */
  waiting(reason: RejectionReason, most: number): Promise<{ count: number; newest?: DeadLetter }>;
  get(id: string): Promise<DeadLetter | undefined>;
  markReplayed(ids: readonly string[], atMs: number): Promise<void>;
  /** Returns the number of rejected events by minute of receipt in [fromMinute, toMinute). */
  rejectedByMinute(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /**
   * Deletes letters received before `lettersMs`, and of minutes before `countsMs` how many were rejected; resolves with
   * how many letters.
   */
  expire(before: { lettersMs: number; countsMs: number }): Promise<number>;
  close(): Promise<void>;
}
