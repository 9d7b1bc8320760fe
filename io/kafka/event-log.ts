// SPDX-License-Identifier: Apache-2.0
import type { EventLog, LogBatch } from "../ports";
import { KafkaAppender, type KafkaAppenderOptions } from "./appender";
import { recordOf } from "./codec";

type KafkaEventLogOptions = KafkaAppenderOptions;

/**
 * The writing side of a log on a Kafka topic. `stamps` of a batch are not kept, because Kafka has no place for them. An
 * acknowledged batch is in the topic once. A rejected batch may be in the topic, and twice when it is appended again.
 * The write API appends to it.
 */
export class KafkaEventLog implements EventLog {
  /** Rejects with `StoreUnavailableError` when no broker answers or the topic does not exist. */
  static async open(options: KafkaEventLogOptions): Promise<KafkaEventLog> {
    return new KafkaEventLog(await KafkaAppender.open(options));
  }

  private constructor(private readonly appender: KafkaAppender) {}

  /** Rejects with `MessageTooLargeError`, too, and with a RangeError for a batch whose minutes do not add up. */
  async append(batch: LogBatch): Promise<void> {
    await this.appender.append(recordOf(batch));
  }

  ping(): Promise<void> {
    return this.appender.ping();
  }

  close(): Promise<void> {
    return this.appender.close();
  }
}
