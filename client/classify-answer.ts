import type { Rejection } from "../domain/rejection";

/** What an answer of the server means for the body it answers. */
export type Answer =
  | { kind: "answered"; accepted: number; rejected: readonly Rejection[] }
  | { kind: "refused"; status: number; detail: string; reason?: string }
  | {
      kind: "retry";
      detail: string;
      retryAfterMs: number;
      /** Whether it tells that the server is away, and counts for the circuit breaker; 429 tells that it is alive. */
      failure: boolean;
    };

/** No server may make a client wait longer than this by one Retry-After. */
const MAX_RETRY_AFTER_MS = 120_000;

/** The one place that says which answers are worth a retry: 408, 425, 429 and 5xx, and a 202 that is cut off or not ours. */
export function classify(status: number, retryAfter: string | null, text: string, nowMs: number): Answer {
  const body = parseObject(text);
  if (status === 202 && typeof body?.accepted === "number" && Array.isArray(body.rejected)) {
    return { kind: "answered", accepted: body.accepted, rejected: body.rejected as Rejection[] };
  }
  const detail = `${status} ${typeof body?.detail === "string" ? body.detail : text.slice(0, 200)}`.trim();
  if (status < 400 || status >= 500 || status === 408 || status === 425 || status === 429) {
    return { kind: "retry", detail, retryAfterMs: retryAfterMs(retryAfter, nowMs), failure: status !== 429 };
  }
  return { kind: "refused", status, detail, ...(typeof body?.reason === "string" ? { reason: body.reason } : {}) };
}

/** Retry-After is seconds or an HTTP date (RFC 9110, 10.2.3). */
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
