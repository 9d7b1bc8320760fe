// SPDX-License-Identifier: Apache-2.0
/**
 * Watches a service keep its promise: an answer whose `completeThrough` is past an event's acceptance includes that
 * event. `npm run demo:kill` watches all the time.
 */
import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { SendingPace } from "./sent-events";

interface Probe {
  videoId: string;
  /** When the event's acceptance was known, by the service's clock at the earliest. */
  acceptedAtMs: number;
}

interface TotalsAnswer {
  totals: Record<string, { count: number }>;
  asOf: string;
  completeThrough: string;
}

const EVERY_MS = 500;
const ASKED_AT_ONCE = 8;
const MAX_LISTED = 20;

export interface WatchResult {
  /** The answers that were compared with an accepted event. */
  answers: number;
  probes: number;
  broken: string[];
}

export class PromiseWatch {
  private readonly waiting: Probe[] = [];
  private readonly result: WatchResult = { answers: 0, probes: 0, broken: [] };
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  /** `now` is the clock of the service. `file` gets the accepted lines, for an independent count. */
  constructor(
    private readonly url: string,
    private readonly now: () => number,
    private readonly pace: SendingPace,
    private readonly file: string,
  ) {
    this.running = this.run();
  }

  /** The number of events that it sent and the service accepted. */
  get accepted(): number {
    return this.result.probes;
  }

  async stop(): Promise<WatchResult> {
    this.stopping.abort();
    await this.running;
    return this.result;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.pace.request(() => this.send());
      const oldest = this.waiting.slice(0, ASKED_AT_ONCE);
      const held = await Promise.all(oldest.map((probe) => this.isHeld(probe).catch(() => false)));
      for (const [at, probe] of oldest.entries())
        if (held[at] === true) this.waiting.splice(this.waiting.indexOf(probe), 1);
      await delay(EVERY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  /** Sends the same event until it is accepted, as a client does. */
  private async send(): Promise<void> {
    const videoId = `probe-${this.result.probes}`;
    const event = { eventId: `${videoId}-${this.now()}`, videoId, eventType: "VIEW", eventTime: this.now() };
    const line = `${JSON.stringify(event)}\n`;
    for (;;) {
      const answer = await this.ask("/v1/events", {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson" },
        body: line,
      }).catch(() => undefined);
      if (answer?.status === 202) break;
      await delay(EVERY_MS);
    }
    this.result.probes++;
    appendFileSync(this.file, line);
    this.waiting.push({ videoId, acceptedAtMs: this.now() });
  }

  /** Returns whether the service has claimed to be complete past this probe. */
  private async isHeld({ videoId, acceptedAtMs }: Probe): Promise<boolean> {
    const answer = await this.ask(`/v1/videos/${videoId}`);
    if (!answer.ok) return false;
    const { totals, asOf, completeThrough } = (await answer.json()) as TotalsAnswer;
    this.result.answers++;
    if (Date.parse(completeThrough) <= acceptedAtMs) return false;
    const count = totals.VIEW?.count ?? 0;
    if (count !== 1 && this.result.broken.length < MAX_LISTED) {
      const accepted = new Date(acceptedAtMs).toISOString();
      this.result.broken.push(
        `${videoId}, accepted at ${accepted}, has count ${count} as of ${asOf}, complete through ${completeThrough}`,
      );
    }
    return true;
  }

  private ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
  }
}
