// SPDX-License-Identifier: Apache-2.0
/**
 * The port of the event log. The write API appends to it and answers 202 when the append is durable; io/sqlite/,
 * io/kafka/ and io/pubsub/ implement it.
 */
import type { Stamp } from "./receipt-stamps";

/** A batch to append: one columnar Avro message (io/formats/avro/batch.ts) with the numbers for the ledger. */
export interface LogBatch {
  payload: Uint8Array;
  events: number;
  /** Events of the batch by minute of event time; the values add up to `events`. */
  acceptedByMinute: ReadonlyMap<number, number>;
  /** Receipt stamps to remember (events without a time of their own), written in the same transaction. */
  stamps?: readonly Stamp[];
}

export interface LogEntry {
  position: number;
  payload: Uint8Array;
  events: number;
  /** When the entry was committed; never decreases with the position. */
  appendedAtMs: number;
}

/** The writing side of a log, which ingest uses. */
export interface EventLog {
  /**
   * Appends durably: once the promise resolves, the batch survives kill -9 of every process (and power loss, where the
   * log promises that). Rejects with `LogFullError` when the log has no room now. Rejects with `StoreUnavailableError`
   * when the log cannot be reached or cannot write, or when the outcome is unknown. A rejected batch may be appended
   * again.
   */
  append(batch: LogBatch): Promise<unknown>;
  /** Rejects with `StoreUnavailableError` when an append would not succeed now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The log of one machine. It has one order, keeps its own books and is trimmed by its reader. */
export interface EmbeddedLog extends EventLog {
  append(batch: LogBatch): Promise<{ position: number }>;
  /**
   * Returns the entries with position > `after`, ascending, at most `maxEntries` and about `maxBytes` (at least one
   * entry).
   */
  read(after: number, maxEntries: number, maxBytes: number): Promise<LogEntry[]>;
  /** Returns the first entry behind `after` without its payload, which tells how far behind a reader is. */
  firstAfter(after: number): Promise<{ position: number; appendedAtMs: number } | undefined>;
  /** Returns the newest position ever given (0: none), trimmed or not. */
  head(): Promise<number>;
  /** Removes entries up to and including `position`, which are archived and counted. Idempotent. */
  trim(position: number): Promise<void>;
  /** Returns accepted events by minute of event time, in [fromMinute, toMinute). Trimming keeps these numbers. */
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /** Returns the stamps younger than 10 minutes. */
  recentStamps(nowMs: number): Promise<Stamp[]>;
  /** Returns the bytes of entries that are appended and not trimmed. */
  backlogBytes(): Promise<number>;
}
