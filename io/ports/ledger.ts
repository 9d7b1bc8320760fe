// SPDX-License-Identifier: Apache-2.0
import type { MinuteBooks, Settled } from "../../domain/rules/books";
import type { WriteOff } from "../../domain/rules/ledger-books";
import type { Mark, OpenMinute } from "../../domain/rules/low-watermark";
import type { MinuteRange } from "../../domain/rules/minute-ranges";
import type { AuditReport } from "./audit-report";

/** What one part of the pipelines counted of a minute, in absolute numbers. */
export interface LedgerRow {
  minute: number;
  /** Which part of the pipelines wrote the row (domain/rules/ledger-parts.ts). */
  part: number;
  /** Received events of the part, repeats included. */
  received: number;
  /** Distinct events; received = counted + duplicate. */
  counted: number;
  duplicate: number;
  /** Events set aside by the lateness rule; they never reach deduplication. */
  late: number;
  /** Event ids that appear in this minute with more than one video or type. */
  reusedIds: number;
}

export type { WriteOff };

/** The books of a minute; `late`, `counted` and `duplicate` with what audits have settled. */
export interface LedgerMinute extends MinuteBooks {
  minute: number;
  /**
   * Events accepted by the ledger's own evidence (domain/rules/books.ts, `acceptedOf`). Where the log itself keeps the
   * account of what it accepted, that is the backfilled events alone: `LogProgress.accepted` has the others.
   */
  accepted: number;
  /** By the accounts of ingest instances. */
  promised: number;
  /** By the archived messages of ingest instances. */
  declared: number;
  /** Of direct producers. */
  direct: number;
  /** Archived events that came by backfill and not through the log. */
  backfilled: number;
  reusedIds: number;
  /** Whether an audit has settled the whole minute: what was archived since waits for the next one. */
  isSettled?: boolean;
  /**
   * Absent: nothing of the minute was ever written off. `lost` is what of it is missing by the ledger's own evidence.
   */
  writtenOff?: WriteOff;
}

export interface ArchivedObject {
  name: string;
  minute: number;
  events: number;
  sizeBytes: number;
  /**
   * Events of the minute that were accepted by the word of the archived messages; absent where the log itself keeps
   * these books.
   */
  accepted?: number;
  /** Those of `accepted` that direct producers sent: no ingest instance answered for them. Default 0. */
  direct?: number;
  /**
   * Messages of the object and the events each has in this minute, where the log may deliver a message twice
   * (`LogPortion.exact` is false): a message that is in two objects is then in the books once.
   */
  messages?: { id: string; events: number; accepted: number; direct?: number }[];
  /**
   * When the first of its events was accepted, where they are listed before they are counted: holds the low watermark
   * until the minute is counted. Not given back by `archivedObjects`. A backfilled object without it is taken to be
   * accepted when it is listed.
   */
  acceptedSinceMs?: number;
}

/** What an ingest instance has accepted, in its own words. */
export interface IngestBooking {
  /** Random; of one process, or of a part of its life. At most 64 of `[A-Za-z0-9-]`. */
  instance: string;
  /** Grows with each booking of the instance. */
  sequence: number;
  /**
   * By minute of event time all that the instance has accepted of it: absolute, so that a booking may be repeated.
   * Minutes that did not change may be left out.
   */
  minutes: ReadonlyMap<number, number>;
  /** When the first of the events that earlier bookings do not have was accepted. */
  sinceMs: number;
  /** Every event that the instance accepted before is in its bookings. */
  throughMs: number;
  /** Until when the instance's silence means that it has nothing new; 0: the account is closed. */
  leaseUntilMs: number;
}

/**
 * An ingest instance and how far its account goes. A lease that has ended while it is not 0: the instance ended without
 * its last booking.
 */
export interface IngestAccount extends Mark {
  instance: string;
}

export interface ArchiveReader extends Mark {
  reader: string;
}

/** Which minutes an audit found (or made) equal to the archive. */
export interface AuditedRange extends MinuteRange {
  /** Change sequences read before the minutes were compared; absent: 0. */
  sequences: ReadonlyMap<number, number>;
  /** Minutes of the range that are not marked. */
  except: readonly number[];
}

/** What an audit with repair counted in one minute. */
export interface SettledMinute extends Settled {
  minute: number;
}

export interface ListedOpenMinute extends OpenMinute {
  /** The adapter's own: tells what was read from what was added since. */
  token: string;
}

/**
 * The books: what ingest, the archive, the stream and the audits know of each minute. Kept in the same store as the
 * counters.
 */
export interface Ledger {
  /**
   * Lists objects (again changes nothing but their numbers) and marks the minutes changed, which ends their `audited`
   * state.
   */
  addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void>;
  /**
   * Objects that were removed past the raw retention stay in the books, and are not missed: their size is 0 from now
   * on.
   */
  expireObjects(objects: readonly { minute: number; name: string }[]): Promise<void>;
  archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]>;
  /**
   * Absolute values per (minute, part), in any order and any number of times: states of one growing set of events, of
   * which the one for which more came (received, late), then more was counted, stays.
   */
  writeRows(rows: readonly LedgerRow[]): Promise<void>;
  books(fromMinute: number, toMinute: number): Promise<LedgerMinute[]>;
  /**
   * Grows whenever the minute changes; read before an audit compares, checked when it marks. 0: never changed (left
   * out).
   */
  changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /**
   * Marks every minute of a range whose change sequence still is the given one. The work is in what has changed within
   * the range, never in its length.
   */
  markAudited(range: AuditedRange): Promise<void>;
  /**
   * How many minutes of [fromMinute, toMinute) are audited and unchanged since, by bucket of `bucketMinutes` (key:
   * first minute).
   */
  auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>>;
  /** Books what an audit has counted; of a minute the newest audit stays. The stream's own rows are never changed. */
  settleLate(rows: readonly SettledMinute[], audit: { auditedAtMs: number }): Promise<void>;
  /** Books lost events as written off: absolute numbers. Of a minute the latest (`atMs`) stays. */
  writeOff(losses: readonly WriteOff[]): Promise<void>;

  /**
   * Idempotent, and in any order: of a minute the largest number of an instance stays, of its marks the one with the
   * largest sequence.
   */
  bookAccepted(booking: IngestBooking): Promise<void>;
  /** Those that are open, and those that ended without their last booking in the last days. */
  ingestAccounts(): Promise<IngestAccount[]>;
  /**
   * Every message that `reader` answers for and that was appended before `timeMs` is archived and listed. An earlier
   * time than the one known changes nothing but the lease; `leaseUntilMs` 0: the reader ends, and others answer for
   * what it leaves.
   */
  setArchivedThrough(reader: string, timeMs: number, leaseUntilMs: number): Promise<void>;
  archiveReaders(): Promise<ArchiveReader[]>;

  /**
   * Minutes of which something was accepted and that nobody has closed since: those with the earliest `sinceMs` first,
   * at most `limit`.
   */
  openMinutes(limit: number): Promise<ListedOpenMinute[]>;
  /** Closes minutes, but not those for which something was booked or listed since they were read. */
  closeMinutes(open: readonly ListedOpenMinute[]): Promise<void>;
  /** The low watermark as it was last written; undefined: never. */
  completeThroughMs(): Promise<number | undefined>;
  /** Of several the one with the latest `atMs` stays. */
  setCompleteThrough(timeMs: number, atMs: number): Promise<void>;

  addAudit(report: AuditReport): Promise<void>;
  /** Newest first. */
  audits(limit: number): Promise<AuditReport[]>;
  close(): Promise<void>;
}
