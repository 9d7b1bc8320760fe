// SPDX-License-Identifier: Apache-2.0
import type { FoundAnswer, SharedAnswers } from "../ports";
import { keptAnswer, keptText, MAX_TEXT_CHARACTERS, timeMs } from "./codec";
import type { RedisAnswersOptions } from "./config";
import { connectedClient, type RedisClient } from "./connection";
import { Rest } from "./errors";

/**
 * Shared answers in Redis. Ages are told by the clock of Redis alone, so that those of the instances need not agree:
 * `find` asks for Redis' time along with the key, and an answer carries the time of the `find` before its reading. The
 * expiry of the key is a second bound. A Redis that is away, slow, empty or full costs reads of the counters and
 * nothing else. The cache of the read API asks it before it reads the counters, where the configuration names a Redis.
 */
export class RedisAnswers implements SharedAnswers {
  readonly #client: RedisClient;
  readonly #options: Required<Pick<RedisAnswersOptions, "prefix" | "deadlineMs" | "now">>;
  readonly #rest: Rest;

  /** Connects by and by. */
  constructor({ onChange = () => undefined, now = () => performance.now(), ...options }: RedisAnswersOptions) {
    this.#options = { ...options, now };
    this.#rest = new Rest({ onChange, now });
    this.#client = connectedClient(options, (error) => this.#rest.failed(error));
  }

  async find(key: string): Promise<FoundAnswer> {
    const { now, prefix, deadlineMs } = this.#options;
    const sentMs = now();
    if (!this.#client.isReady || this.#rest.lasts) return NOTHING;
    try {
      // In this order on one connection: the time is that of the answer's finding, or later.
      const asked = [this.#client.get(prefix + key), this.#client.sendCommand(["TIME"])];
      const [reply, time] = await within(deadlineMs, Promise.all(asked));
      const since = timeMs(time);
      this.#rest.answered();
      const kept = keptAnswer(reply);
      // Redis' clock was set back: nobody can say how old the answer is.
      if (kept === undefined || since < kept.since) return { text: undefined, ageMs: 0, since };
      return { text: kept.text, ageMs: since - kept.since + (now() - sentMs), since };
    } catch (error) {
      this.#rest.failed(error as Error);
      return NOTHING;
    }
  }

  keep(key: string, text: string, since: number, keptMs: number): void {
    if (text.length > MAX_TEXT_CHARACTERS || !this.#client.isReady || this.#rest.lasts) return;
    const expiry = String(Math.max(1, Math.floor(keptMs)));
    this.#client
      .sendCommand(["SET", this.#options.prefix + key, keptText({ since, text }), "PX", expiry])
      .catch((error: Error) => this.#rest.failed(error));
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }
}

const NOTHING: FoundAnswer = { text: undefined, ageMs: 0, since: undefined };

async function within<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${deadlineMs} ms`)), deadlineMs);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
