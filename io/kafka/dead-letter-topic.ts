// SPDX-License-Identifier: Apache-2.0
import type { NewDeadLetter } from "../ports";
import { KafkaAppender, type KafkaAppenderOptions } from "./appender";
import { letterRecordOf } from "./codec";

type KafkaDeadLetterTopicOptions = KafkaAppenderOptions;

/**
 * Publishes dead letters to a topic: the payload whole as the value, the other fields as headers
 * (io/formats/messages/letter-attributes.ts). A deployment publishes its dead letters with it, in addition to keeping
 * them, where a topic is configured.
 */
export class KafkaDeadLetterTopic {
  static async open(options: KafkaDeadLetterTopicOptions): Promise<KafkaDeadLetterTopic> {
    return new KafkaDeadLetterTopic(await KafkaAppender.open(options));
  }

  private constructor(private readonly appender: KafkaAppender) {}

  /** Durable when it resolves. Rejects with `LogFullError`, `StoreUnavailableError` or `MessageTooLargeError`. */
  async publishDeadLetter(letter: NewDeadLetter): Promise<void> {
    await this.appender.append(letterRecordOf(letter));
  }

  close(): Promise<void> {
    return this.appender.close();
  }
}
