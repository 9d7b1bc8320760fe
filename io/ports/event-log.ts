// SPDX-License-Identifier: Apache-2.0
import type { Stamp } from "./receipt-stamps";

/** A batch to append: one columnar Avro message (io/formats/avro/batch.ts) and what the ledger must know of it. */
export interface LogBatch {
  payload: Uint8Array;
  events: number;
  /** Events of the batch by minute of event time; the values add up to `events`. */
  acceptedByMinute: ReadonlyMap<number, number>;
  /** Receipt stamps to remember (events that came without a time), written in the same transaction. */
  stamps?: readonly Stamp[];
}

export interface LogEntry {
  position: number;
  payload: Uint8Array;
  events: number;
  /** When the entry was committed; never decreases with the position. */
  appendedAtMs: number;
}

/** The writing side of a log: what ingest needs of it. */
export interface EventLog {
  /**
   * Appends durably: once the promise resolves, the batch survives kill -9 of every process (and power loss, where the
   * log promises that). Rejects with `LogFullError` when the log cannot take more now, with `StoreUnavailableError`
   * when it cannot be reached or cannot write, or when the outcome is unknown; a rejected batch may be appended again.
   */
  append(batch: LogBatch): Promise<unknown>;
  /** Rejects with `StoreUnavailableError` when an append would not succeed now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The log of one machine: it has one order, keeps its own books and is trimmed by its reader. */
export interface EmbeddedLog extends EventLog {
  append(batch: LogBatch): Promise<{ position: number }>;
  /** Entries with position > `after`, ascending, at most `maxEntries` and about `maxBytes` (at least one entry). */
  read(after: number, maxEntries: number, maxBytes: number): Promise<LogEntry[]>;
  /** The first entry behind `after`, without its payload: tells how far behind a reader is. */
  firstAfter(after: number): Promise<{ position: number; appendedAtMs: number } | undefined>;
  /** The newest position ever given (0: none), trimmed or not. */
  head(): Promise<number>;
  /** Forgets entries up to and with `position`: they are archived and counted. Idempotent. */
  trim(position: number): Promise<void>;
  /** Events answered as accepted by minute of event time, in [fromMinute, toMinute); trimming keeps these. */
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /** Stamps younger than 10 minutes. */
  recentStamps(nowMs: number): Promise<Stamp[]>;
  /** Bytes waiting (appended, not trimmed). */
  backlogBytes(): Promise<number>;
}
