// SPDX-License-Identifier: Apache-2.0
/** The meaning of a server's answer, by which the delivery of a body decides whether to send the body again. */
import type { Rejection } from "../domain/rejection";

/** The meaning of a server's answer for the body that it answers. */
export type Answer =
  | { kind: "answered"; accepted: number; rejected: readonly Rejection[] }
  /** `status` 0: no request could be sent at all. */
  | { kind: "refused"; status: number; detail: string; reason?: string }
  | {
      kind: "retry";
      detail: string;
      retryAfterMs: number;
      /**
       * Whether the answer shows that the server is away, and counts for the circuit breaker; 429 shows that it is
       * alive.
       */
      failure: boolean;
    };

/** The longest wait that a server can demand by one Retry-After. */
const MAX_RETRY_AFTER_MS = 120_000;

/**
 * Decides which answers are worth a retry: 408, 425, 429 and 5xx, and a 202 that is cut off, foreign, or does not
 * account for each of the `events` of the body.
 */
export function classify(
  status: number,
  retryAfter: string | null,
  text: string,
  nowMs: number,
  events?: number,
): Answer {
  const body = parseObject(text);
  if (status === 202) {
    const answered = answeredOf(body, events);
    if (answered !== undefined) return answered;
  }
  const detail = `${status} ${typeof body?.detail === "string" ? body.detail : text.slice(0, 200)}`.trim();
  if (status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429) {
    return { kind: "refused", status, detail, ...(typeof body?.reason === "string" ? { reason: body.reason } : {}) };
  }
  return { kind: "retry", detail, retryAfterMs: retryAfterMs(retryAfter, nowMs), failure: status !== 429 };
}

/** Returns the answer where it names every event once; undefined for any other. */
function answeredOf(body: Record<string, unknown> | undefined, events: number | undefined): Answer | undefined {
  const { accepted, rejected } = body ?? {};
  if (!isCount(accepted) || !Array.isArray(rejected)) return undefined;
  if (!rejected.every(isRejection)) return undefined;
  if (new Set(rejected.map(({ index }) => index)).size !== rejected.length) return undefined;
  if (events !== undefined) {
    if (accepted + rejected.length !== events || rejected.some(({ index }) => index >= events)) return undefined;
  }
  return { kind: "answered", accepted, rejected };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isRejection(value: unknown): value is Rejection {
  if (typeof value !== "object" || value === null) return false;
  const { index, reason, detail } = value as Record<string, unknown>;
  return isCount(index) && typeof reason === "string" && typeof detail === "string";
}

/** Reads Retry-After, which is seconds or an HTTP date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | null, nowMs: number): number {
  if (header === null) return 0;
  const waitMs = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return waitMs > 0 ? Math.min(waitMs, MAX_RETRY_AFTER_MS) : 0;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
