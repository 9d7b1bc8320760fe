// SPDX-License-Identifier: Apache-2.0
/**
 * The port of the ledger: what was accepted, archived, counted and audited of each minute. The write API, archivers,
 * the stream and audits write it; freshness, /v1/ledger and the audit's plan read it.
 */
import type { MinuteBooks, Settled } from "../../domain/rules/books";
import type { WriteOff } from "../../domain/rules/ledger-books";
import type { Mark, OpenMinute } from "../../domain/rules/low-watermark";
import type { MinuteRange } from "../../domain/rules/minute-ranges";
import type { AuditReport } from "./audit-report";

/** The absolute numbers that one part of the pipelines counted in a minute. */
export interface LedgerRow {
  minute: number;
  /** The part of the pipelines that wrote the row (domain/rules/ledger-parts.ts). */
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

/** The books of a minute. `late`, `counted` and `duplicate` include the numbers of audits. */
export interface LedgerMinute extends MinuteBooks {
  minute: number;
  /**
   * Events accepted by the ledger's own evidence (domain/rules/books.ts, `acceptedOf`). Where the log itself counts its
   * accepted events, these are the backfilled events alone, and `LogProgress.accepted` has the others.
   */
  accepted: number;
  /** Events in the accounts of ingest instances. */
  promised: number;
  /** Events that archived messages of ingest instances declare. */
  declared: number;
  /** Events of direct producers. */
  direct: number;
  /** Archived events of backfills, which did not pass the log. */
  backfilled: number;
  reusedIds: number;
  /** Whether an audit has settled the whole minute. Events archived since wait for the next audit. */
  isSettled?: boolean;
  /**
   * The write-off of the minute; absent where there is none. `lost` is what is missing of it by the ledger's own
   * evidence.
   */
  writtenOff?: WriteOff;
}

export interface ArchivedObject {
  name: string;
  minute: number;
  events: number;
  sizeBytes: number;
  /**
   * Events of the minute that the archived messages declare as accepted; absent where the log itself keeps these books.
   */
  accepted?: number;
  /** The part of `accepted` that direct producers sent, for which no ingest instance answered. Default 0. */
  direct?: number;
  /**
   * The messages of the object, with the events of each in this minute, where the log may deliver a message twice
   * (`LogPortion.exact` is false). A message in two objects is then in the books once.
   */
  messages?: { id: string; events: number; accepted: number; direct?: number }[];
  /**
   * When the first of the object's events was accepted, where they are listed before they are counted. It holds the low
   * watermark until the minute is counted. `archivedObjects` does not return it. A backfilled object without it counts
   * as accepted when it is listed.
   */
  acceptedSinceMs?: number;
}

/** The accepted events of an ingest instance, by its own account. */
export interface IngestBooking {
  /** A random id of one process, or of a part of its life. At most 64 of `[A-Za-z0-9-]`. */
  instance: string;
  /** Grows with each booking of the instance. */
  sequence: number;
  /**
   * All events that the instance has accepted in each minute of event time. The numbers are absolute, so that a booking
   * may be repeated. Unchanged minutes may be left out.
   */
  minutes: ReadonlyMap<number, number>;
  /** When the first of the events that earlier bookings lack was accepted. */
  sinceMs: number;
  /** Every event that the instance accepted before this time is in its bookings. */
  throughMs: number;
  /** Until this time the instance's silence means that it has accepted nothing new; 0: the account is closed. */
  leaseUntilMs: number;
}

/**
 * An ingest instance and the time through which its account is complete. A lease that is over and not 0 means that the
 * instance ended without its last booking.
 */
export interface IngestAccount extends Mark {
  instance: string;
}

export interface ArchiveReader extends Mark {
  reader: string;
}

/** The minutes that an audit found equal to the archive, or made equal. */
export interface AuditedRange extends MinuteRange {
  /** The change sequences read before the minutes were compared; absent: 0. */
  sequences: ReadonlyMap<number, number>;
  /** The minutes of the range that are not marked. */
  except: readonly number[];
}

/** The numbers that an audit with repair counted in one minute. */
export interface SettledMinute extends Settled {
  minute: number;
}

export interface ListedOpenMinute extends OpenMinute {
  /** The adapter's own mark, which tells a change since the reading. */
  token: string;
}

/**
 * The books: the numbers of ingest, the archive, the stream and the audits for each minute, in the same store as the
 * counters.
 */
export interface Ledger {
  /**
   * Lists objects and marks the minutes changed, which ends their `audited` state. Listing an object again changes
   * nothing but its numbers.
   */
  addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void>;
  /**
   * Notes the removal of objects past the raw retention. They stay in the books with size 0, so that no audit reports
   * them as missing.
   */
  expireObjects(objects: readonly { minute: number; name: string }[]): Promise<void>;
  archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]>;
  /**
   * Writes absolute values per (minute, part), in any order and any number of times. All writes of a row must be states
   * of one growing set of events. The state that received more (received, late), then the one that counted more, stays.
   */
  writeRows(rows: readonly LedgerRow[]): Promise<void>;
  books(fromMinute: number, toMinute: number): Promise<LedgerMinute[]>;
  /**
   * Returns the change sequences of minutes, which grow whenever a minute changes. An audit reads them before it
   * compares, and checks them when it marks. A minute that never changed (0) is left out.
   */
  changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /**
   * Marks every minute of a range whose change sequence still is the given one. The work depends on the changes within
   * the range, never on its length.
   */
  markAudited(range: AuditedRange): Promise<void>;
  /**
   * Returns how many minutes of [fromMinute, toMinute) are audited and unchanged since, by bucket of `bucketMinutes`
   * (key: first minute).
   */
  auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>>;
  /** Books the numbers of an audit; for each minute the newest audit stays. The stream's own rows are never changed. */
  settleLate(rows: readonly SettledMinute[], audit: { auditedAtMs: number }): Promise<void>;
  /** Books lost events as written off, as absolute numbers. For each minute the latest (`atMs`) stays. */
  writeOff(losses: readonly WriteOff[]): Promise<void>;

  /**
   * Books accepted events; idempotent and independent of order. For each minute the largest number of an instance
   * stays, and of its marks the one with the largest sequence.
   */
  bookAccepted(booking: IngestBooking): Promise<void>;
  /** Returns the open accounts, and the accounts that ended without their last booking in the last days. */
  ingestAccounts(): Promise<IngestAccount[]>;
  /**
   * Notes that every message appended before `timeMs` for which `reader` answers is archived and listed. An earlier
   * time than the known one changes nothing but the lease. With `leaseUntilMs` 0 the reader ends, and others answer for
   * its rest.
   */
  setArchivedThrough(reader: string, timeMs: number, leaseUntilMs: number): Promise<void>;
  archiveReaders(): Promise<ArchiveReader[]>;

  /**
   * Returns minutes with accepted events that no call has closed since: those with the earliest `sinceMs` first, at
   * most `limit`.
   */
  openMinutes(limit: number): Promise<ListedOpenMinute[]>;
  /** Closes minutes, except those for which events were booked or listed since they were read. */
  closeMinutes(open: readonly ListedOpenMinute[]): Promise<void>;
  /** Returns the low watermark as last written, or undefined before the first write. */
  completeThroughMs(): Promise<number | undefined>;
  /** Writes the low watermark; the write with the latest `atMs` stays. */
  setCompleteThrough(timeMs: number, atMs: number): Promise<void>;

  addAudit(report: AuditReport): Promise<void>;
  /** Returns the newest reports first. */
  audits(limit: number): Promise<AuditReport[]>;
  close(): Promise<void>;
}

/** What of the books is deleted with age, where the store keeps no rule of its own for that. */
export interface BookRetention {
  /**
   * Deletes the books of minutes before this one; those of minutes that changed and were not audited since stay. That a
   * minute is audited stays known. Resolves with how many minutes had books.
   */
  expireBooks(beforeMinute: number): Promise<number>;
  /** Deletes reports of audits that started before; resolves with how many. */
  expireAudits(beforeMs: number): Promise<number>;
}
