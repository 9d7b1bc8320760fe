// SPDX-License-Identifier: Apache-2.0
import type { NewDeadLetter } from "../ports";
import { PubsubAppender, type PubsubAppenderOptions } from "./appender";
import { publishedLetterOf } from "./codec";

type PubsubDeadLetterTopicOptions = PubsubAppenderOptions;

/**
 * Publishes dead letters to a topic: the payload whole as data, the other fields as attributes
 * (io/formats/messages/letter-attributes.ts). A deployment publishes its dead letters with it, in addition to keeping
 * them, where a topic is configured.
 */
export class PubsubDeadLetterTopic {
  static async open(options: PubsubDeadLetterTopicOptions): Promise<PubsubDeadLetterTopic> {
    return new PubsubDeadLetterTopic(await PubsubAppender.open(options));
  }

  private constructor(private readonly appender: PubsubAppender) {}

  /** Durable when it resolves. Rejects with `LogFullError`, `StoreUnavailableError` or `MessageTooLargeError`. */
  async publishDeadLetter(letter: NewDeadLetter): Promise<void> {
    await this.appender.append(publishedLetterOf(letter));
  }

  close(): Promise<void> {
    return this.appender.close();
  }
}
