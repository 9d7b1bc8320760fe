/**
 * The ports: everything Viewmill needs from the world outside. One adapter a folder, one contract suite a port
 * (test/contracts/), run against every adapter. Times are epoch milliseconds (`...Ms`), a `minute` is epoch
 * milliseconds divided by 60,000 (an integer), positions are positive integers that only grow.
 */
import type { MinuteCounts } from "../domain/minute-counts";
import type { RejectionReason } from "../domain/rejection";

// ---------------------------------------------------------------- EventLog

/** A batch to append: one columnar Avro message (io/avro/batch.ts) and what the ledger must know of it. */
export interface LogBatch {
  payload: Uint8Array;
  events: number;
  /** Events of the batch by minute of event time; the values add up to `events`. */
  acceptedByMinute: ReadonlyMap<number, number>;
  /** Receipt stamps to remember (events that came without a time), written in the same transaction. */
  stamps?: readonly Stamp[];
}

/** The receipt time given to an event that had none, so that a retry within 10 minutes gets the same. */
export interface Stamp {
  /** `eventId \0 videoId \0 eventType` */
  key: string;
  stampedAtMs: number;
}

/** How long a stamp holds: the contract's window for a retry of an event without a time. */
export const STAMP_MEMORY_MS = 10 * 60_000;

/**
 * Receipt stamps where every instance of the write API sees them, for a log that does not keep them itself. Asked for events without a time of their own
 * only, once a request.
 */
export interface ReceiptStamps {
  /**
   * Puts if absent: answers, in order, the stamp that holds for each key, which is the one that another call gave it less than `STAMP_MEMORY_MS`
   * before the proposed one, or else the proposed one. Of calls at the same time one wins, and all are answered its stamp. What is
   * answered survives every process for as long as it holds. Keys are distinct. Rejects with `StoreUnavailableError`; some of the keys may then
   * be kept, and to ask again is right.
   */
  hold(proposed: readonly Stamp[]): Promise<Stamp[]>;
  close(): Promise<void>;
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
   * Appends durably: once the promise resolves, the batch survives kill -9 of every process (and power loss, where the log promises that).
   * Rejects with `LogFullError` when the log cannot take more now, with `StoreUnavailableError` when it cannot be reached or
   * cannot write, or when the outcome is unknown; a rejected batch may be appended again.
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

/** One message of a log that several processes share. */
export interface LogMessage {
  /** Unique in the log; a message that is delivered again keeps it. */
  id: string;
  payload: Uint8Array;
  /** Events by minute of event time, as declared by whoever appended; undefined where nothing was declared (a foreign producer). */
  acceptedByMinute: ReadonlyMap<number, number> | undefined;
  appendedAtMs: number;
}

/** Some messages of a log, taken to be archived together. */
export interface LogPortion {
  /**
   * First part of the names of the archive objects written from it: letters, digits, `.`, `_`, `-`; at most 150. Where the log has positions
   * (`exact`), a portion taken again after a crash has the same name and the same messages.
   */
  name: string;
  exact: boolean;
  messages: LogMessage[];
  /** Acknowledges: the messages are archived. Rejects with `PortionLostError` when the portion is another reader's by now. */
  done(): Promise<void>;
  /** Gives the messages back, to be taken again. */
  abandon(): Promise<void>;
}

/** The portion now belongs to another reader (or will): nothing of it is acknowledged by this one. */
export class PortionLostError extends Error {
  override readonly name = "PortionLostError";
}

/** The reading side of a shared log: an own consumer group or subscription; several processes share the work. */
export interface LogSubscription {
  /**
   * The next portion, of at most `maxMessages` and about `maxBytes` (at least one message): as soon as it is full, else after at most
   * `waitMs` with what there is; undefined when nothing came. Rejects once the subscription is closed.
   * Portions may be open at the same time; `done` is called in any order.
   */
  take(limits: { maxMessages: number; maxBytes: number; waitMs: number }): Promise<LogPortion | undefined>;
  /** Append time of the oldest message that is not done, over all readers of the group; undefined: all are done. */
  oldestWaitingMs(): Promise<number | undefined>;
  /**
   * A time that the log's own clock, which stamps appends, has reached for certain, whatever this machine's clock says: nothing that is appended
   * from now on bears an earlier one. Undefined before anything was read.
   */
  logTimeMs(): number | undefined;
  close(): Promise<void>;
}

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

/** What the workers of an audit found, on its way to whoever asked for it. */
export interface Findings {
  /** Durable when it resolves; writing again replaces. Names: letters, digits and `-`, at most 100. */
  write(auditId: string, name: string, text: string): Promise<void>;
  /** undefined: nothing was found of that name. */
  read(auditId: string, name: string): Promise<string | undefined>;
}

/** How far the events of the log have come: into the archive and the counters. */
export interface LogProgress {
  /** Whether there are messages that are not archived yet. */
  behind(): Promise<boolean>;
  /** Events answered as accepted by minute of event time, in [fromMinute, toMinute); backfilled ones are not among them. */
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /** Every event accepted before this is archived and listed. Never after `nowMs`; 0: nothing is known. */
  archivedThroughMs(nowMs: number): Promise<number>;
  /** Every event accepted before this is in the counters. Never after `nowMs`. */
  completeThroughMs(nowMs: number): Promise<number>;
}

export class LogFullError extends Error {
  override readonly name = "LogFullError";
}
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}

// ---------------------------------------------------------------- Archive

export interface ArchiveObject {
  /** `date=2026-11-21/hour=10/minute=03/<writer>-<sequence>.avro`, unique in the archive. */
  name: string;
  minute: number;
  sizeBytes: number;
}

export interface Archive {
  /** Writes an object atomically and durably; writing the same name again replaces it whole. */
  write(minute: number, fileName: string, content: Uint8Array): Promise<ArchiveObject>;
  /** Objects whose minute of event time is in [fromMinute, toMinute), by minute, then name. */
  list(fromMinute: number, toMinute: number): Promise<ArchiveObject[]>;
  read(name: string): Promise<Uint8Array>;
  /** Minutes that have objects, ascending, in [fromMinute, toMinute). */
  minutes(fromMinute: number, toMinute: number): Promise<number[]>;
}

// ---------------------------------------------------------------- CounterStore

export type Granularity = "minute" | "hour" | "day";

export interface Cell {
  startMs: number;
  count: number;
  sum: bigint;
  /** Events that have a value; at most `count`. */
  valued: number;
  /** How often count, sum or valued changed after the bucket was first final (`ApplyOptions.finalBeforeMinute`); an audit's corrections too. */
  revision: number;
}

export interface Total {
  count: number;
  sum: bigint;
  /** Events that have a value; at most `count`. */
  valued: number;
  lastEventAtMs: number;
}

/** What some events add up to. */
export interface Sums {
  count: number;
  sum: bigint;
  /** Events that have a value. */
  valued: number;
}

/** A cell above the minutes beside what the stored cells one level below add up to; nothing is zero. */
export interface LevelSums {
  level: "hour" | "day" | "total";
  /** Of the hour or the day; 0 for a total. */
  startMs: number;
  videoId: string;
  eventType: string;
  stored: Sums;
  below: Sums;
}

export interface ApplyOptions {
  /**
   * Each cell is written at the correction it already has in the store (for a writer that has recounted the whole minute from the
   * archive), otherwise at the correction the cell carries (0 when none).
   */
  followCorrections?: boolean;
  /**
   * Minutes before this are final: a write that changes the value of one raises its revision, and so do changes of hours and days that
   * end by then. Default: no minute is final. A store to which no stream writes final minutes may count corrections alone.
   */
  finalBeforeMinute?: number;
}

export interface VideoCount {
  videoId: string;
  count: number;
}

/**
 * Counters by (video, type) at minute, hour, day and in total. Minutes are facts: absolute values, written in any order and any number of
 * times, of which the latest stays. Writes of a cell are ordered by (correction, received), where an absent `received` is the count; two writes that are
 * equal in both are the same write. So of one correction, all writes of a cell must be states of one growing set of events (the panes of a
 * window are): as more is received the count never falls, with an equal count the valued count never falls, with both equal the sum never falls, and
 * the last event is never earlier. A store may order them by either, (correction, received) or (correction, count, valued, sum, last). Hour, day and total are derived: they agree with the minutes whenever
 * no write is under way, and move together (I3).
 */
export interface CounterStore {
  /**
   * Writes minute cells; idempotent and order-free. Concurrent calls may share one transaction. Resolves when durable, and when every level
   * agrees with what was written. `written`: cells that were newer than what the store had; `unchanged`: all others.
   */
  apply(counts: readonly MinuteCounts[], options?: ApplyOptions): Promise<{ written: number; unchanged: number }>;
  /**
   * The audit's numbers: sets these cells to exactly these values (count 0 = the cell should not exist) with stored correction + 1;
   * they should say how many were received, so that a writer that follows corrections is ordered against them. Then rebuilds the hour, day and total of every video touched from its minutes.
   */
  correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }>;
  /** Recomputes hours, days (those touching [fromMs, toMs)) and the total of a video from its minutes. */
  rebuild(videoId: string, fromMs: number, toMs: number): Promise<void>;
  totals(videoId: string): Promise<Map<string, Total>>;
  /** Cells with count > 0 in [startMs, endMs), ascending. `startMs`/`endMs` are multiples of the granularity. */
  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Promise<Cell[]>;
  /** By count descending, ties by videoId ascending; [startMs, endMs) in whole minutes. */
  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]>;
  /** Into how many parts the store divides the videos: each can be read by itself, and together they are all videos. */
  readonly videoParts: number;
  /** The part of a video, in [0, videoParts). */
  partOf(videoId: string): number;
  /** Every stored cell of [fromMinute, toMinute), one MinuteCounts a minute that has any; of one part of the videos, or of all. */
  minuteCells(fromMinute: number, toMinute: number, videoPart?: number): AsyncIterable<MinuteCounts>;
  /** Hours since 1970 in [fromHour, toHour) that have stored minute cells, ascending. The work is in the hours there are. */
  storedHours(fromHour: number, toHour: number): AsyncIterable<number>;
  /**
   * Of some videos the cells of an hour, of its day and in total, each beside the sum of what stands below. Where the store has snapshots, those of a
   * video are of one; else a write under way may show as a difference.
   */
  levels(videoIds: readonly string[], hour: number): AsyncIterable<LevelSums>;
  /** As `levels`, every total of one part of the videos. */
  totalLevels(videoPart: number): AsyncIterable<LevelSums>;
  /** Stored hour or day cells whose start is in [startMs, endMs), for the audit of derived levels. */
  derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncIterable<{ videoId: string; eventType: string } & Cell>;
  /** Stored totals of every video, for the audit of derived levels. */
  allTotals(): AsyncIterable<{ videoId: string; eventType: string } & Total>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- Ledger, StreamState

export type * from "./ledger-ports";

// ---------------------------------------------------------------- DeadLetters

export interface NewDeadLetter {
  receivedAtMs: number;
  reason: RejectionReason;
  detail: string;
  eventId?: string;
  /** The rejected event or message, byte for byte. */
  payload: Uint8Array;
  /** How `payload` would be sent again, e.g. `application/json`. */
  contentType: string;
  source: "ingest" | "pipeline";
}

export interface DeadLetter extends NewDeadLetter {
  /** Opaque, at most 200 printable ASCII characters without spaces; unique in the store. */
  id: string;
  replayedAtMs?: number;
}

export interface DeadLetters {
  /** Durable when it resolves. Rejects with `StoreUnavailableError` or, past the size bound (where it has one), `LogFullError`. */
  append(letters: readonly NewDeadLetter[]): Promise<void>;
  list(query: { afterId?: string; limit: number; reason?: RejectionReason; replayed?: boolean }): Promise<DeadLetter[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  markReplayed(ids: readonly string[], atMs: number): Promise<void>;
  /** Rejected events by minute of receipt in [fromMinute, toMinute). */
  rejectedByMinute(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- EventTypes

/** The event types of a deployment: a set that only grows, up to a bound. A type is no place for an id. */
export interface EventTypes {
  /**
   * Takes these types into the set, in their order, while it has fewer than `bound`; in one step, whoever else asks. Resolves with the whole set
   * afterwards: what is not in it was refused. Rejects with `StoreUnavailableError`.
   */
  admit(types: readonly string[], bound: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}
