// SPDX-License-Identifier: Apache-2.0
/** One message of a log that several processes share. */
export interface LogMessage {
  /** Unique in the log. A message keeps its id when it is delivered again. */
  id: string;
  payload: Uint8Array;
  /**
   * Events by minute of event time, as the appending process declared them; undefined where a foreign producer declared
   * none.
   */
  acceptedByMinute: ReadonlyMap<number, number> | undefined;
  appendedAtMs: number;
}

/** Messages of a log that are archived together. */
export interface LogPortion {
  /**
   * The first part of the names of the portion's archive objects: letters, digits, `.`, `_`, `-`; at most 150. Where
   * the log has positions (`exact`), a portion that is taken again after a crash has the same name and the same
   * messages.
   */
  name: string;
  exact: boolean;
  messages: LogMessage[];
  /**
   * Acknowledges the messages after they are archived. Rejects with `PortionLostError` when the portion is another
   * reader's by now.
   */
  done(): Promise<void>;
  /** Gives the messages back, so that a reader takes them again. */
  abandon(): Promise<void>;
}

/** Thrown when the portion belongs to another reader, or will. This reader has acknowledged none of its messages. */
export class PortionLostError extends Error {
  override readonly name = "PortionLostError";
}

/**
 * The reading side of a shared log: a consumer group or subscription of its own, whose work several processes share.
 */
export interface LogSubscription {
  /**
   * Returns the next portion, of at most `maxMessages` and about `maxBytes` (at least one message): as soon as it is
   * full, otherwise after at most `waitMs`, and undefined where no message arrived. Rejects once the subscription is
   * closed. Several portions may be open at the same time; `done` is called in any order.
   */
  take(limits: { maxMessages: number; maxBytes: number; waitMs: number }): Promise<LogPortion | undefined>;
  /**
   * Returns the append time of the oldest message that is not done, over all readers of the group; undefined where all
   * are done.
   */
  oldestWaitingMs(): Promise<number | undefined>;
  /**
   * Returns a time that the log's own clock, which stamps appends, has certainly reached, whatever this machine's clock
   * says: no later append carries an earlier time. Undefined before the first message was read.
   */
  logTimeMs(): number | undefined;
  close(): Promise<void>;
}
