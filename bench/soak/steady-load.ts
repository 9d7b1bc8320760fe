// SPDX-License-Identifier: Apache-2.0
/**
 * Events at a steady rate, with repeats and late ones, and readers that come and go. It remembers what was accepted,
 * each event once, by video and type: what the service must say in the end. The soak (main.ts) runs it, and compares
 * the counts of the service with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { uuidV7From } from "../../client/uuid-v7";
import { MINUTE_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";

interface LoadOptions {
  url: string;
  /** The clock of the service. */
  now: () => number;
  eventsPerSecond: number;
  videos: number;
  seed: number;
}

interface SentEvent {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
}

const SOAK_TYPES = ["VIEW", "VIEW", "VIEW", "LIKE", "SHARE"];
const TICKS_A_SECOND = 4;
const REPEAT_SHARE = 0.05;
const LATE_SHARE = 0.01;
const LATE_BY_MS = 30 * MINUTE_MS;
const REMEMBERED = 1_000;
/** Every so many requests one comes over a connection of its own. */
const NEW_CONNECTION_EVERY = 5;
const RETRY_MS = 200;

export class SteadyLoad {
  /** Accepted events, each once: by video and type. */
  readonly expected = new Map<string, number>();
  readonly refused: Record<string, number> = {};
  requests = 0;
  events = 0;
  reads = 0;
  readonly #stopping = new AbortController();
  readonly #random: () => number;
  readonly #recent: SentEvent[] = [];
  readonly #known = new WeakSet<SentEvent>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: LoadOptions) {
    this.#random = sfc32(options.seed);
  }

  start(): void {
    this.#running = Promise.all([this.#send(), this.#read(), this.#watch()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #send(): Promise<void> {
    const batch = Math.max(1, Math.round(this.options.eventsPerSecond / TICKS_A_SECOND));
    const startedMs = performance.now();
    for (let tick = 0; !this.#stopping.signal.aborted; tick++) {
      const events = Array.from({ length: batch }, () => this.#event());
      await this.#deliver(events);
      for (const event of events) this.#accepted(event);
      await delay(Math.max(0, startedMs + ((tick + 1) * 1_000) / TICKS_A_SECOND - performance.now()));
    }
  }

  /** Again until it is accepted: the same events, so that they count once. */
  async #deliver(events: readonly SentEvent[]): Promise<void> {
    const body = JSON.stringify(events);
    for (;;) {
      const status = await this.#ask("/v1/events", { method: "POST", body });
      if (status === 202) return;
      this.refused[status] = (this.refused[status] ?? 0) + 1;
      await delay(RETRY_MS);
    }
  }

  #event(): SentEvent {
    const kind = this.#random();
    if (kind < REPEAT_SHARE && this.#recent.length > 0)
      return this.#recent[Math.floor(this.#random() * this.#recent.length)]!;
    const nowMs = this.options.now();
    const videoId = `soak-${Math.floor(this.options.videos * this.#random() ** 2)}`;
    const eventType = SOAK_TYPES[Math.floor(this.#random() * SOAK_TYPES.length)]!;
    const eventTime = kind < REPEAT_SHARE + LATE_SHARE ? nowMs - LATE_BY_MS : nowMs;
    const bytes = Uint8Array.from({ length: 10 }, () => Math.floor(this.#random() * 256));
    return { eventId: uuidV7From(nowMs, bytes), videoId, eventType, eventTime };
  }

  #accepted(event: SentEvent): void {
    this.events++;
    if (this.#known.has(event)) return;
    this.#known.add(event);
    const cell = `${event.videoId} ${event.eventType}`;
    this.expected.set(cell, (this.expected.get(cell) ?? 0) + 1);
    this.#recent.push(event);
    if (this.#recent.length > REMEMBERED) this.#recent.shift();
  }

  /** Dashboards: a few pages each second. */
  async #read(): Promise<void> {
    const signal = this.#stopping.signal;
    while (!signal.aborted) {
      const video = `soak-${Math.floor(this.options.videos * this.#random() ** 2)}`;
      for (const path of [`/v1/videos/${video}`, `/v1/videos/${video}/counts`, "/v1/top", "/v1/ledger", "/metrics"]) {
        await this.#ask(path);
        this.reads++;
      }
      await delay(1_000, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Pages that watch live numbers and are closed again. */
  async #watch(): Promise<void> {
    const signal = this.#stopping.signal;
    while (!signal.aborted) {
      const left = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
      const response = await fetch(`${this.options.url}/v1/live?videos=soak-0&books=1`, { signal: left }).catch(
        () => undefined,
      );
      await response?.text().catch(() => undefined);
    }
  }

  /** The status; 0 where there was no answer. */
  async #ask(path: string, { method = "GET", body }: { method?: string; body?: string } = {}): Promise<number> {
    const isApart = this.requests++ % NEW_CONNECTION_EVERY === 0;
    const headers = { "Content-Type": "application/json", ...(isApart && { Connection: "close" }) };
    try {
      const response = await fetch(`${this.options.url}${path}`, { method, headers, ...(body && { body }) });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }
}
