// SPDX-License-Identifier: Apache-2.0
/** One message of a log that several processes share. */
export interface LogMessage {
  /** Unique in the log; a message that is delivered again keeps it. */
  id: string;
  payload: Uint8Array;
  /**
   * Events by minute of event time, as declared by whoever appended; undefined where nothing was declared (a foreign
   * producer).
   */
  acceptedByMinute: ReadonlyMap<number, number> | undefined;
  appendedAtMs: number;
}

/** Some messages of a log, taken to be archived together. */
export interface LogPortion {
  /**
   * First part of the names of the archive objects written from it: letters, digits, `.`, `_`, `-`; at most 150. Where
   * the log has positions (`exact`), a portion taken again after a crash has the same name and the same messages.
   */
  name: string;
  exact: boolean;
  messages: LogMessage[];
  /**
   * Acknowledges: the messages are archived. Rejects with `PortionLostError` when the portion is another reader's by
   * now.
   */
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
   * The next portion, of at most `maxMessages` and about `maxBytes` (at least one message): as soon as it is full, else
   * after at most `waitMs` with what there is; undefined when nothing came. Rejects once the subscription is closed.
   * Portions may be open at the same time; `done` is called in any order.
   */
  take(limits: { maxMessages: number; maxBytes: number; waitMs: number }): Promise<LogPortion | undefined>;
  /** Append time of the oldest message that is not done, over all readers of the group; undefined: all are done. */
  oldestWaitingMs(): Promise<number | undefined>;
  /**
   * A time that the log's own clock, which stamps appends, has reached for certain, whatever this machine's clock says:
   * nothing that is appended from now on bears an earlier one. Undefined before anything was read.
   */
  logTimeMs(): number | undefined;
  close(): Promise<void>;
}
