// SPDX-License-Identifier: Apache-2.0
import type { EventLog, LogBatch } from "../ports";
import { PubsubAppender, type PubsubAppenderOptions } from "./appender";
import { publishedOf } from "./codec";

type PubsubEventLogOptions = PubsubAppenderOptions;

/**
 * The writing side of a log on a Pub/Sub topic. `stamps` of a batch are not kept, because Pub/Sub has no place for
 * them. A batch may be in the topic more than once (an attempt without an answer is repeated), with one id: for the
 * readers it is one message that is delivered again. The write API appends to it.
 */
export class PubsubEventLog implements EventLog {
  /** Rejects with `StoreUnavailableError` when Pub/Sub does not answer or the topic does not exist. */
  static async open(options: PubsubEventLogOptions): Promise<PubsubEventLog> {
    return new PubsubEventLog(await PubsubAppender.open(options));
  }

  private constructor(private readonly appender: PubsubAppender) {}

  /** Rejects with `MessageTooLargeError`, too, and with a RangeError for a batch whose minutes do not add up. */
  async append(batch: LogBatch): Promise<void> {
    await this.appender.append(publishedOf(batch));
  }

  ping(): Promise<void> {
    return this.appender.ping();
  }

  close(): Promise<void> {
    return this.appender.close();
  }
}
