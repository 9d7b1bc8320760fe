// SPDX-License-Identifier: Apache-2.0
import { createClient } from "@redis/client";
import type { FoundAnswer, SharedAnswers } from "../ports";

interface RedisAnswersOptions {
  /** redis://host:port/database, or rediss:// for TLS. */
  url: string;
  username?: string;
  password?: string;
  /** Before every key: two deployments on one Redis must not share answers. */
  prefix: string;
  /** A find that takes longer finds nothing. */
  deadlineMs: number;
  /** Told once an outage: why Redis is left alone, and undefined when it answers again. */
  onChange?: (trouble: Error | undefined) => void;
  /** Milliseconds, of a clock that only goes forward. */
  now?: () => number;
}

/** After a failure Redis is left alone for so long: reads do not wait for it one by one. */
const REST_MS = 1_000;
const RECONNECT_MS = 250;
const CONNECT_TIMEOUT_MS = 2_000;
/** Commands that wait for Redis; more are not sent. */
const MAX_WAITING = 1_000;
const MAX_TEXT_CHARACTERS = 64 << 10;

/**
 * Shared answers in Redis. Ages are told by the clock of Redis alone, so that those of the instances need not agree:
 * `find` asks for Redis' time along with the key, and an answer carries the time of the `find` before its reading. The
 * expiry of the key is a second bound. A Redis that is away, slow, empty or full costs reads of the counters and
 * nothing else.
 */
export class RedisAnswers implements SharedAnswers {
  readonly #client: ReturnType<typeof createClient>;
  readonly #options: Required<Omit<RedisAnswersOptions, "username" | "password">>;
  #restsUntilMs = 0;
  #troubled = false;

  /** Connects by and by. */
  constructor({ username, password, ...options }: RedisAnswersOptions) {
    this.#options = { onChange: () => undefined, now: () => performance.now(), ...options };
    this.#client = createClient({
      url: options.url,
      ...(username && { username }),
      ...(password && { password }),
      disableOfflineQueue: true,
      commandsQueueMaxLength: MAX_WAITING,
      socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: RECONNECT_MS },
    });
    this.#client.on("error", (error: Error) => this.#failed(error));
    this.#client.connect().catch((error: Error) => this.#failed(error));
  }

  async find(key: string): Promise<FoundAnswer> {
    const { now, prefix, deadlineMs } = this.#options;
    const sentMs = now();
    if (!this.#client.isReady || sentMs < this.#restsUntilMs) return NOTHING;
    try {
      // In this order on one connection: the time is that of the answer's finding, or later.
      const asked = [this.#client.get(prefix + key), this.#client.sendCommand(["TIME"])];
      const [kept, time] = await within(deadlineMs, Promise.all(asked));
      const since = timeMs(time);
      this.#answered();
      const [, keptSince, text] = /^(\d+(?:\.\d+)?) (.*)$/s.exec(typeof kept === "string" ? kept : "") ?? [];
      const ageMs = since - Number(keptSince) + (now() - sentMs);
      // Redis' clock was set back: nobody can say how old the answer is.
      if (text === undefined || since < Number(keptSince)) return { text: undefined, ageMs: 0, since };
      return { text, ageMs, since };
    } catch (error) {
      this.#failed(error as Error);
      return NOTHING;
    }
  }

  keep(key: string, text: string, since: number, keptMs: number): void {
    const { now, prefix } = this.#options;
    if (text.length > MAX_TEXT_CHARACTERS || !this.#client.isReady || now() < this.#restsUntilMs) return;
    const expiry = String(Math.max(1, Math.floor(keptMs)));
    this.#client
      .sendCommand(["SET", prefix + key, `${since} ${text}`, "PX", expiry])
      .catch((error: Error) => this.#failed(error));
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #answered(): void {
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#options.onChange(undefined);
  }

  #failed(error: Error): void {
    this.#restsUntilMs = this.#options.now() + REST_MS;
    if (this.#troubled) return;
    this.#troubled = true;
    this.#options.onChange(error);
  }
}

const NOTHING: FoundAnswer = { text: undefined, ageMs: 0, since: undefined };

/** TIME: seconds and microseconds. Throws TypeError for anything else. */
function timeMs(reply: unknown): number {
  const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
  const timeMs = (seconds ?? Number.NaN) * 1_000 + (microseconds ?? Number.NaN) / 1_000;
  if (!Number.isFinite(timeMs)) throw new TypeError("Redis did not answer TIME as it should");
  return timeMs;
}

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
