// SPDX-License-Identifier: Apache-2.0
/**
 * The delivery of one body: attempts, pauses, the circuit breaker, and the outcome. ViewmillClient sends its batches by
 * it, and the commands that send files do so, too.
 */
import type { Rejection } from "../domain/rejection";
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleType,
  isBrokenCircuitError,
} from "./circuit-breaker";
import { type Answer, classify } from "./classify-answer";
import { connectTimeout } from "./connect-timeout";
import { boundedText, impossible, isNeverMade, pause } from "./exchange";
import { messageOf } from "./message-of";

export interface DeliveryOptions {
  /** The service's address, e.g. `http://127.0.0.1:8080`; `/v1/events` is added. */
  url: string;
  /** The fetch function; default: the platform's. */
  fetch?: typeof fetch;
  /** The connect timeout, of Node's own fetch only; elsewhere `requestTimeoutMs` bounds it. Default 5,000. */
  connectTimeoutMs?: number;
  /** The time from sending to the complete answer. Default 30,000. */
  requestTimeoutMs?: number;
  /** The number of attempts after the first. Default 20. */
  retries?: number;
  /** The time after the first attempt in which another may start. Default 300,000. */
  deliverWithinMs?: number;
  /** The n-th retry waits a random time up to base * 2^n ("full jitter"), at most max. Defaults 100 and 10,000. */
  retryBaseMs?: number;
  retryMaxMs?: number;
  /**
   * The circuit opens after this many failures in a row (default 10) and tries again after `halfOpenAfterMs` (default
   * 2,000).
   */
  breaker?: { failures?: number; halfOpenAfterMs?: number };
  /** The number of connections of Node's own fetch. Default 8. */
  maxConnections?: number;
  /** Headers of every request, e.g. authorisation. */
  headers?: Readonly<Record<string, string>>;
  /** Returns numbers in [0, 1). Default Math.random. */
  random?: () => number;
}

/** The outcome of a body after all attempts. */
export type DeliveryOutcome =
  /** 202: the accepted events are durable. */
  | { kind: "answered"; accepted: number; rejected: readonly Rejection[] }
  /** The server will never accept this body. Status 0: no request can be sent to this URL, with these headers. */
  | { kind: "refused"; status: number; detail: string; reason?: string }
  /**
   * No valid answer arrived. The events may have reached the server, so the caller must send the same body again, with
   * the same eventIds.
   */
  | { kind: "undelivered"; attempts: number; detail: string };

/** The options of one body. */
export interface BodyOptions {
  /**
   * The number of events in the body. A 202 that does not account for each of them is not accepted as an answer.
   * Default: any number is accepted.
   */
  events?: number;
  /** Ends the delivery as `undelivered` when it aborts. */
  signal?: AbortSignal;
}

const GIVEN_UP = "given up before it had an answer";

class AttemptFailed extends Error {
  constructor(readonly answer: Extract<Answer, { kind: "retry" }>) {
    super(answer.detail);
  }
}

/** The one sending policy: timeouts, retries with full jitter, Retry-After, a circuit breaker. */
export class Delivery {
  /** The URL to which bodies are posted. */
  readonly endpoint: string;
  private readonly impossible: string | undefined;
  private readonly breaker: CircuitBreakerPolicy;
  private readonly halfOpenAfterMs: number;
  private readonly fetchOptions: object;
  private readonly random: () => number;

  constructor(private readonly options: DeliveryOptions) {
    if (!URL.canParse(options.url)) throw new TypeError("url must be a URL such as http://127.0.0.1:8080");
    const url = new URL(options.url);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/events`;
    this.endpoint = url.href;
    this.impossible = options.fetch === undefined ? impossible(url, options.headers ?? {}) : undefined;
    this.halfOpenAfterMs = options.breaker?.halfOpenAfterMs ?? 2000;
    this.breaker = circuitBreaker(handleType(AttemptFailed), {
      halfOpenAfter: this.halfOpenAfterMs,
      breaker: new ConsecutiveBreaker(options.breaker?.failures ?? 10),
    });
    this.random = options.random ?? Math.random;
    const { connectTimeoutMs = 5000, maxConnections = 8 } = options;
    this.fetchOptions = options.fetch === undefined ? connectTimeout(connectTimeoutMs, maxConnections) : {};
  }

  /** The state of the circuit; requests wait while it is open. */
  get circuit(): "closed" | "open" | "half-open" {
    if (this.breaker.state === CircuitState.Closed) return "closed";
    return this.breaker.state === CircuitState.HalfOpen ? "half-open" : "open";
  }

  /** Sends one body until it has an answer, the same bytes at every attempt. Always resolves. */
  async deliver(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    { events, signal }: BodyOptions = {},
  ): Promise<DeliveryOutcome> {
    const { retries = 20, deliverWithinMs = 300_000 } = this.options;
    if (this.impossible !== undefined) return { kind: "refused", status: 0, detail: this.impossible };
    const startedMs = performance.now();
    let attempts = 0;
    let detail = "";
    while (signal?.aborted !== true) {
      const answer = await this.attempt(body, headers, events, signal);
      if (answer.kind !== "retry" && answer.kind !== "circuit-open") return answer;
      let waitMs = this.halfOpenAfterMs * (0.5 + this.random() / 2);
      detail = "the circuit is open after repeated failures";
      if (answer.kind === "retry") {
        detail = answer.detail;
        waitMs = this.backoffMs(attempts, answer.retryAfterMs);
        if (++attempts > retries) return { kind: "undelivered", attempts, detail };
      }
      if (performance.now() - startedMs + waitMs > deliverWithinMs) return { kind: "undelivered", attempts, detail };
      await pause(waitMs, signal);
    }
    return { kind: "undelivered", attempts, detail: detail === "" ? GIVEN_UP : `${GIVEN_UP}; the last: ${detail}` };
  }

  /**
   * Returns the pause: full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), never less than
   * Retry-After.
   */
  private backoffMs(attempt: number, retryAfterMs: number): number {
    const { retryBaseMs = 100, retryMaxMs = 10_000 } = this.options;
    return retryAfterMs + this.random() * Math.min(retryMaxMs, retryBaseMs * 2 ** attempt);
  }

  private async attempt(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    events: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer | { kind: "circuit-open" }> {
    try {
      return await this.breaker.execute(async () => {
        const answer = await this.request(body, headers, events, signal);
        if (answer.kind === "retry" && answer.failure) throw new AttemptFailed(answer);
        return answer;
      });
    } catch (error) {
      if (error instanceof AttemptFailed) return error.answer;
      if (isBrokenCircuitError(error)) return { kind: "circuit-open" };
      return { kind: "retry", detail: messageOf(error), retryAfterMs: 0, failure: true };
    }
  }

  /**
   * Sends one request and reads its answer. A fetch that ignores its signal is abandoned, and the attempt ends all the
   * same.
   */
  private request(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    events: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const { requestTimeoutMs = 30_000 } = this.options;
    const abort = new AbortController();
    return new Promise((resolve) => {
      const end = (answer: Answer) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
        resolve(answer);
        abort.abort();
      };
      const failed = (detail: string, failure: boolean) => end({ kind: "retry", detail, retryAfterMs: 0, failure });
      const giveUp = () => failed(GIVEN_UP, false);
      const timer = setTimeout(() => failed(`no answer within ${requestTimeoutMs} ms`, true), requestTimeoutMs);
      signal?.addEventListener("abort", giveUp);
      this.exchange(body, headers, events, abort.signal).then(end, (error: unknown) => {
        if (isNeverMade(error)) end({ kind: "refused", status: 0, detail: messageOf(error) });
        else failed(messageOf(error), true);
      });
    });
  }

  private async exchange(
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    events: number | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const send = this.options.fetch ?? globalThis.fetch;
    const response = await send(this.endpoint, {
      ...this.fetchOptions,
      method: "POST",
      headers: { ...this.options.headers, ...headers },
      body: body as Uint8Array<ArrayBuffer>,
      signal,
    });
    const text = await boundedText(response);
    return classify(response.status, response.headers.get("retry-after"), text, Date.now(), events);
  }
}
