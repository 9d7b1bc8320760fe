// SPDX-License-Identifier: Apache-2.0
/**
 * Requests to Google's APIs, with credentials, deadlines and retries. The files of this folder send with it, and an
 * application may check its project with it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type AccessToken, applicationDefaultToken } from "./credentials";
import { DataflowError, kindOfStatus } from "./dataflow-error";

export type Json = { readonly [name: string]: JsonValue | undefined };
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | Json;

export interface GoogleRestOptions {
  /**
   * `http://host:port` of another server, which serves each host of Google below the host's name; undefined: Google.
   */
  readonly endpoint?: string | undefined;
  /** Gives the token; default: application default credentials. */
  readonly token?: AccessToken | undefined;
  /** The deadline of one request, from its first byte to the answer's last. Default 30 s. */
  readonly timeoutMs?: number;
  /** The number of attempts of a request. Default 6. */
  readonly maxAttempts?: number;
  /** The time after the first attempt in which another may begin. Default 2 minutes. */
  readonly retryWithinMs?: number;
  /** The first pause before another attempt; it doubles up to 10 s, with full jitter. Default 300. */
  readonly retryPauseMs?: number;
  /** Returns numbers uniform in [0, 1), for the jitter of the pauses. */
  readonly random?: () => number;
}

interface GoogleRequest {
  readonly method?: "GET" | "POST" | "PUT";
  /** `https://HOST/PATH?QUERY` */
  readonly url: string;
  readonly body?: Json;
  readonly headers?: Readonly<Record<string, string>>;
}

interface GoogleAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Statuses of overload, or of a fault that passes (https://cloud.google.com/apis/design/errors#retrying_errors). */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const MAX_PAUSE_MS = 10_000;
const MAX_ANSWER_BYTES = 32 << 20;

/**
 * Sends requests to Google's REST APIs, each with a token. A request without a complete answer, or with a failure that
 * may pass, is sent again unchanged, so requests must tolerate repetition. Rejects with DataflowError.
 */
export class GoogleRest {
  readonly endpoint: string | undefined;
  readonly token: AccessToken;
  private readonly bounds: Required<Omit<GoogleRestOptions, "endpoint" | "token">>;

  constructor(options: GoogleRestOptions = {}) {
    this.endpoint = options.endpoint?.replace(/\/+$/, "");
    this.token = options.token ?? applicationDefaultToken();
    this.bounds = {
      timeoutMs: options.timeoutMs ?? 30_000,
      maxAttempts: options.maxAttempts ?? 6,
      retryWithinMs: options.retryWithinMs ?? 120_000,
      retryPauseMs: options.retryPauseMs ?? 300,
      random: options.random ?? Math.random,
    };
  }

  /** Returns the body of a success, as JSON. */
  async json(request: GoogleRequest): Promise<Json> {
    const { body } = await this.send(request);
    const text = Buffer.from(body).toString("utf8");
    if (text === "") return {};
    try {
      return JSON.parse(text) as Json;
    } catch (error) {
      throw new DataflowError(`${shown(request)}: the answer is not JSON`, "refused", { cause: error });
    }
  }

  async send(request: GoogleRequest): Promise<GoogleAnswer> {
    const { maxAttempts, retryWithinMs, retryPauseMs, random } = this.bounds;
    const startedAtMs = performance.now();
    for (let made = 1; ; made++) {
      const outcome = await this.attempt(request);
      if (!(outcome instanceof DataflowError)) return outcome;
      const { kind, status } = outcome;
      const passing = status === undefined ? kind === "timeout" || kind === "unreachable" : PASSING.has(status);
      if (!passing) throw outcome;
      const pauseMs = random() * Math.min(MAX_PAUSE_MS, retryPauseMs * 2 ** (made - 1));
      const late = performance.now() + pauseMs - startedAtMs > retryWithinMs;
      if (made >= maxAttempts || late) {
        const options = { cause: outcome, ...(status === undefined ? {} : { status }) };
        throw new DataflowError(`${outcome.message} (${made} attempts)`, kind, options);
      }
      await sleep(pauseMs);
    }
  }

  /** Sends one request. Errors of the other side are returned, so that the caller judges them. */
  private async attempt(request: GoogleRequest): Promise<GoogleAnswer | DataflowError> {
    const authorization = `Bearer ${await this.token()}`;
    const { method = "GET", body } = request;
    const json = body === undefined ? {} : { "content-type": "application/json" };
    try {
      const answer = await fetch(this.url(request.url), {
        method,
        headers: { authorization, ...json, ...request.headers },
        signal: AbortSignal.timeout(this.bounds.timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (bytes.byteLength > MAX_ANSWER_BYTES)
        return new DataflowError(`${shown(request)}: answer too large`, "refused");
      const { status } = answer;
      if (answer.ok) return { status, contentType: answer.headers.get("content-type") ?? "", body: bytes };
      const text = `${shown(request)}: ${status} ${refusalText(bytes)}`;
      return new DataflowError(text, kindOfStatus(status), { status });
    } catch (error) {
      const late = error instanceof Error && error.name === "TimeoutError";
      const reason = late ? `no answer within ${this.bounds.timeoutMs} ms` : causeText(error);
      return new DataflowError(`${shown(request)}: ${reason}`, late ? "timeout" : "unreachable", { cause: error });
    }
  }

  private url(url: string): string {
    return this.endpoint === undefined ? url : url.replace(/^https:\//, this.endpoint);
  }
}

const shown = ({ method = "GET", url }: GoogleRequest): string => `${method} ${url.split("?")[0]}`;

function causeText(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? cause.message || String((cause as { code?: string }).code) : String(error);
}

/**
 * Returns the message of `{"error": {"message"}}` (Google's APIs) or `{"errors": [{"message"}]}` (registries), or the
 * text.
 */
function refusalText(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, 4_000)).toString("utf8");
  try {
    const { error, errors } = JSON.parse(text) as { error?: { message?: unknown }; errors?: { message?: unknown }[] };
    const message = error?.message ?? errors?.[0]?.message;
    return typeof message === "string" ? message : text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
