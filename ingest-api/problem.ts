import { ADMISSION_TITLES } from "../admission/refusal";
import type { RejectionReason } from "../domain/rejection";

/** What a request as a whole can be refused for: the closed list of problem types. */
type ProblemKind =
  | "malformed-body"
  | "too-large"
  | "unsupported-media-type"
  | "method-not-allowed"
  | "overloaded"
  | "unavailable"
  | "internal"
  | keyof typeof ADMISSION_TITLES;

/** An answer of RFC 9457, before it has an instance. */
export interface Problem {
  kind: ProblemKind;
  status: number;
  detail: string;
  /** Of the contract's closed list, where the body as a whole falls under it. */
  reason?: RejectionReason;
  headers?: Readonly<Record<string, string>>;
}

export const PROBLEM_CONTENT_TYPE = "application/problem+json";

const TITLES: Record<ProblemKind, string> = {
  "malformed-body": "The body cannot be read",
  "too-large": "The body is too large",
  "unsupported-media-type": "The body's type or encoding is not supported",
  "method-not-allowed": "The method is not possible here",
  overloaded: "Too much is waiting, send again later",
  unavailable: "Events cannot be stored now, send again later",
  internal: "The request failed",
  ...ADMISSION_TITLES,
};

export const malformed = (detail: string, reason?: RejectionReason): Problem => ({
  kind: "malformed-body",
  status: 400,
  detail,
  ...(reason === undefined ? {} : { reason }),
});

export const tooLarge = (detail: string): Problem => ({
  kind: "too-large",
  status: 413,
  detail,
  reason: "too-large",
});

export const unsupported = (detail: string, headers: Record<string, string>): Problem => ({
  kind: "unsupported-media-type",
  status: 415,
  detail,
  headers,
});

export const methodNotAllowed = (allow: string): Problem => ({
  kind: "method-not-allowed",
  status: 405,
  detail: `only ${allow} is possible here`,
  headers: { Allow: allow },
});

/** 429: this server has too much to do; the same request succeeds later. */
export const overloaded = (detail: string): Problem => ({
  kind: "overloaded",
  status: 429,
  detail,
  headers: { "Retry-After": "1" },
});

/** 503: something this server needs is away, or it is shutting down. */
export const unavailable = (detail: string): Problem => ({
  kind: "unavailable",
  status: 503,
  detail,
  headers: { "Retry-After": "2" },
});

export const internal = (): Problem => ({
  kind: "internal",
  status: 500,
  detail: "the failure is in the server's log under this instance",
});

/** The body of the answer: RFC 9457 members, and `reason` beside them. */
export function problemBody(problem: Problem, instance: string): string {
  return JSON.stringify({
    type: `urn:viewmill:problem:${problem.kind}`,
    title: TITLES[problem.kind],
    status: problem.status,
    detail: problem.detail,
    instance,
    ...(problem.reason === undefined ? {} : { reason: problem.reason }),
  });
}
