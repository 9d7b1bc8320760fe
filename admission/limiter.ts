// SPDX-License-Identifier: Apache-2.0
/** The rates and daily quotas of keys. Admission charges each admitted request and its events to the key's buckets. */
import { DAY_MS, MINUTE_MS, SECONDS_A_DAY } from "../domain/rules/time";
import type { KeyLimits } from "../io/ports/access-keys";
import type { Refusal } from "./refusal";

/** A key that sent no request for this many seconds may use as many seconds of its rate at once. */
const BURST_SECONDS = 2;
/** After this time without a request a key's buckets need not be kept, unless a batch has left them in debt. */
const FORGOTTEN_AFTER_MS = MINUTE_MS;
/** A refusal is told again for at most this time, so that its RateLimit field is not much older. */
const REFUSAL_KEPT_MS = 100;

const RATES = ["requestsPerSecond", "eventsPerSecond", "bytesPerSecond"] as const;
type Rate = (typeof RATES)[number];

/** The names of quota policies, and their units other than requests (RateLimit header fields, `qu`). */
const POLICIES: Record<Rate, { name: string; unit: string; what: string }> = {
  requestsPerSecond: { name: "requests", unit: "", what: "requests" },
  eventsPerSecond: { name: "events", unit: ';qu="events"', what: "events" },
  bytesPerSecond: { name: "bytes", unit: ';qu="content-bytes"', what: "bytes" },
};

/**
 * The capacity of a bucket, at least 1: a bucket that never holds a whole request would never admit a slow key again.
 */
const capacityOf = (rate: number): number => Math.max(1, rate * BURST_SECONDS);
/** The time in which an unused bucket fills, as its policy states it. */
const windowOf = (rate: number): number => Math.max(BURST_SECONDS, Math.ceil(1 / rate));

/** A key's daily quota as of now. */
export interface DayQuota {
  eventsPerDay: number;
  /** Events that the key may still send today. */
  left: number;
  /** Until the day (UTC) ends. */
  seconds: number;
}

/** Reads a key's daily quota; undefined where the key has none. */
type ReadDay = () => DayQuota | undefined;
const NO_DAY: ReadDay = () => undefined;

interface Bucket {
  rate: number;
  tokens: number;
  atMs: number;
}

/**
 * The token buckets of one key on one instance. A request is admitted while no bucket is in debt, and its cost may put
 * a bucket in debt. So a batch larger than a bucket passes, and the mean rate holds all the same. Times are of a
 * monotonic clock.
 */
export class KeyBuckets {
  readonly #buckets = new Map<Rate, Bucket>();
  /** The last refusal of `enter`: a client far beyond its limit is refused by one look at a clock. */
  #kept: { refusal: Refusal; untilMs: number } | undefined;
  lastUsedMs = 0;

  constructor(
    readonly limits: KeyLimits,
    nowMs: number,
  ) {
    for (const rate of RATES) {
      const limit = limits[rate];
      if (limit !== undefined) this.#buckets.set(rate, { rate: limit, tokens: capacityOf(limit), atMs: nowMs });
    }
  }

  /** Pays for one request. Returns undefined when the request is admitted, otherwise the refusal. */
  enter(nowMs: number, readDay: ReadDay = NO_DAY): Refusal | undefined {
    this.lastUsedMs = nowMs;
    if (this.#kept !== undefined && nowMs < this.#kept.untilMs) return this.#kept.refusal;
    const refusal = this.#refusal(nowMs, readDay);
    if (refusal === undefined) this.#pay("requestsPerSecond", 1);
    else this.#kept = { refusal, untilMs: nowMs + Math.min(REFUSAL_KEPT_MS, this.#unchangedMs()) };
    return refusal;
  }

  /**
   * Pays for the events and bytes of a request. Returns a refusal where concurrent requests have emptied the bucket
   * meanwhile.
   */
  settle(events: number, bytes: number, nowMs: number, readDay: ReadDay = NO_DAY): Refusal | undefined {
    const refusal = this.#refusal(nowMs, readDay, ["eventsPerSecond", "bytesPerSecond"]);
    if (refusal !== undefined) return refusal;
    this.#pay("eventsPerSecond", events);
    this.#pay("bytesPerSecond", bytes);
    return undefined;
  }

  giveBack(events: number, bytes: number): void {
    this.#pay("eventsPerSecond", -events);
    this.#pay("bytesPerSecond", -bytes);
  }

  /** Returns RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), or no fields without limits. */
  headers(nowMs: number, day?: DayQuota): Record<string, string> {
    if (this.#buckets.size === 0 && day === undefined) return {};
    const policies: string[] = [];
    const limits: string[] = [];
    for (const [rate, bucket] of this.#buckets) {
      this.#refill(bucket, nowMs);
      const { name, unit } = POLICIES[rate];
      policies.push(`"${name}";q=${Math.ceil(capacityOf(bucket.rate))};w=${windowOf(bucket.rate)}${unit}`);
      limits.push(`"${name}";r=${Math.max(0, Math.floor(bucket.tokens))};t=${secondsUntilFree(bucket)}`);
    }
    if (day !== undefined) {
      policies.push(`"day";q=${day.eventsPerDay};w=${SECONDS_A_DAY};qu="events"`);
      limits.push(`"day";r=${day.left};t=${day.seconds}`);
    }
    return { "RateLimit-Policy": policies.join(", "), RateLimit: limits.join(", ") };
  }

  /** Whether nothing is missing in any bucket: the debt of a large batch may last for hours. */
  isFull(nowMs: number): boolean {
    for (const bucket of this.#buckets.values()) {
      this.#refill(bucket, nowMs);
      if (bucket.tokens < capacityOf(bucket.rate)) return false;
    }
    return true;
  }

  #refusal(nowMs: number, readDay: ReadDay, rates: readonly Rate[] = RATES): Refusal | undefined {
    let longest = 0;
    let exceeded: Rate | undefined;
    for (const rate of rates) {
      const bucket = this.#buckets.get(rate);
      if (bucket === undefined) continue;
      this.#refill(bucket, nowMs);
      if (bucket.tokens > 0 && (rate !== "requestsPerSecond" || bucket.tokens >= 1)) continue;
      const seconds = secondsUntilFree(bucket);
      if (seconds <= longest) continue;
      longest = seconds;
      exceeded = rate;
    }
    if (exceeded === undefined) return undefined;
    const detail = `the key may use ${this.limits[exceeded]} ${POLICIES[exceeded].what} a second`;
    return {
      kind: "rate-limited",
      status: 429,
      detail,
      headers: { "Retry-After": String(longest), ...this.headers(nowMs, readDay()) },
    };
  }

  /** Returns for how long a refusal made now stays right: until a bucket is free, or a stated second has passed. */
  #unchangedMs(): number {
    let shortest = Number.POSITIVE_INFINITY;
    for (const [rate, { rate: perSecond, tokens }] of this.#buckets) {
      const missing = rate === "requestsPerSecond" ? 1 - tokens : -tokens;
      if (missing < 0) continue;
      const secondsLeft = (1 - tokens) / perSecond;
      const toNextSecond = secondsLeft - (Math.ceil(secondsLeft) - 1);
      shortest = Math.min(shortest, (missing / perSecond) * 1000, toNextSecond * 1000);
    }
    return shortest;
  }

  #refill(bucket: Bucket, nowMs: number): void {
    const gained = ((nowMs - bucket.atMs) / 1000) * bucket.rate;
    bucket.tokens = Math.min(capacityOf(bucket.rate), bucket.tokens + gained);
    bucket.atMs = nowMs;
  }

  #pay(rate: Rate, cost: number): void {
    this.#kept = undefined;
    const bucket = this.#buckets.get(rate);
    if (bucket !== undefined) bucket.tokens -= cost;
  }
}

/** Returns the whole seconds until a request is admitted: 0 for now, otherwise at least 1. */
function secondsUntilFree({ rate, tokens }: Bucket): number {
  return tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - tokens) / rate));
}

/** The buckets of every key that was used lately, or is not full again. */
export class Limiter {
  readonly #byKey = new Map<string, KeyBuckets>();
  #sweptMs = 0;

  constructor(private readonly defaults: KeyLimits) {}

  bucketsOf(keyId: string, limits: KeyLimits, nowMs: number): KeyBuckets {
    if (nowMs - this.#sweptMs > FORGOTTEN_AFTER_MS) this.#sweep(nowMs);
    const known = this.#byKey.get(keyId);
    if (known !== undefined) return known;
    const buckets = new KeyBuckets({ ...this.defaults, ...limits }, nowMs);
    buckets.lastUsedMs = nowMs;
    this.#byKey.set(keyId, buckets);
    return buckets;
  }

  #sweep(nowMs: number): void {
    this.#sweptMs = nowMs;
    for (const [keyId, buckets] of this.#byKey)
      if (nowMs - buckets.lastUsedMs > FORGOTTEN_AFTER_MS && buckets.isFull(nowMs)) this.#byKey.delete(keyId);
  }
}

/** Returns a key's daily quota, of which `used` events are sent. */
export function dayQuota(eventsPerDay: number, used: number, nowMs: number): DayQuota {
  const seconds = Math.max(1, Math.ceil((DAY_MS - (nowMs % DAY_MS)) / 1000));
  return { eventsPerDay, left: Math.max(0, eventsPerDay - used), seconds };
}

/** Returns the refusal (429) that holds until the day (UTC) ends. `fields`: the key's RateLimit fields. */
export function quotaExceeded({ eventsPerDay, seconds }: DayQuota, fields: Readonly<Record<string, string>>): Refusal {
  return {
    kind: "quota-exceeded",
    status: 429,
    detail: `the key may send ${eventsPerDay} events a day (UTC)`,
    headers: { "Retry-After": String(seconds), ...fields },
  };
}
