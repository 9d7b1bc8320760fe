// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import { Counter, Gauge, type Registry } from "prom-client";
import { MINUTE_MS } from "../../../domain/rules/time";
import { type CanaryTarget, canaryRound, type Round } from "./round";

/** The number of concurrent rounds: a round that waits for its deadline delays no other. */
const MAX_ROUNDS = 8;

interface CanaryOptions {
  target: CanaryTarget;
  clock: () => number;
  logger: Logger;
  registry: Registry;
  everyMs?: number;
  onRound?: (round: Round) => void;
}

/**
 * The weak audit: sends known events each minute by the public road, and reads them back at each level. The results are
 * metrics, and the last round. `viewmill canary` runs it as a process, and `serve` runs one within the service.
 */
export class Canary {
  /** The round that began last of those that have ended, whatever the clock says of their minutes. */
  last: Round | undefined;
  #begun = 0;
  #lastBegun = 0;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #metrics: CanaryMetrics;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: CanaryOptions) {
    this.#metrics = new CanaryMetrics(options.registry);
  }

  start(): void {
    this.#begin();
    this.#timer = setInterval(() => this.#begin(), this.options.everyMs ?? MINUTE_MS);
  }

  #begin(): void {
    if (this.#running.size >= MAX_ROUNDS) return;
    const running: Promise<void> = this.round().then(
      () => undefined,
      (error: unknown) => this.options.logger.error({ err: error }, "a canary's round failed"),
    );
    this.#running.add(running);
    running.finally(() => this.#running.delete(running));
  }

  /** Runs one round now. */
  async round(): Promise<Round> {
    const { target, clock, logger, onRound } = this.options;
    const begun = ++this.#begun;
    const round = await canaryRound(target, clock(), this.#stopping.signal);
    if (this.#stopping.signal.aborted) return round;
    if (begun > this.#lastBegun) [this.last, this.#lastBegun] = [round, begun];
    this.#metrics.ended(round, clock());
    logger[round.outcome === "ok" ? "debug" : "warn"](round, "canary");
    onRound?.(round);
    return round;
  }

  /** Reports the last round to readiness; rejects where it failed. */
  async look(): Promise<string> {
    if (this.last === undefined) return "no round has ended yet";
    const { outcome, detail, seconds } = this.last;
    if (outcome !== "ok") throw new Error(`${outcome}: ${detail}`);
    return `${detail}, after ${seconds.toFixed(1)} s`;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await Promise.all(this.#running);
  }
}

class CanaryMetrics {
  readonly #rounds: Counter<"outcome">;
  readonly #lost: Counter;
  readonly #doubled: Counter;
  readonly #seconds: Gauge;
  readonly #lastSuccess: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#rounds = new Counter({
      name: "viewmill_canary_rounds_total",
      help: "Rounds of the canary by outcome",
      labelNames: ["outcome"],
      registers,
    });
    this.#lost = new Counter({
      name: "viewmill_canary_lost_events_total",
      help: "Known events that were not counted within the deadline",
      registers,
    });
    this.#doubled = new Counter({
      name: "viewmill_canary_doubled_events_total",
      help: "Counts beyond the known events",
      registers,
    });
    this.#seconds = new Gauge({
      name: "viewmill_canary_round_seconds",
      help: "From sending to reading back, of the last round",
      registers,
    });
    this.#lastSuccess = new Gauge({
      name: "viewmill_canary_last_success_timestamp_seconds",
      help: "When a round last ended well",
      registers,
    });
  }

  ended({ outcome, lost, doubled, seconds }: Round, nowMs: number): void {
    this.#rounds.inc({ outcome });
    this.#lost.inc(lost);
    this.#doubled.inc(doubled);
    this.#seconds.set(seconds);
    if (outcome === "ok") this.#lastSuccess.set(nowMs / 1000);
  }
}
