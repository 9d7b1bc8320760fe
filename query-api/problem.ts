import { ADMISSION_TITLES } from "../admission/refusal";

/** What a read can be refused for: the closed list of problem types, with their titles. */
const PROBLEM_TITLES = {
  "invalid-request": "The request cannot be understood",
  "not-found": "There is nothing here",
  "method-not-allowed": "This method is not possible here",
  "too-large": "The body is too large",
  "unsupported-media-type": "The body's type or encoding is not supported",
  overloaded: "Too much is asked at once, ask again later",
  unavailable: "The counters cannot be read now, ask again later",
  "not-ready": "Something the service needs is not there",
  internal: "The request failed",
  ...ADMISSION_TITLES,
} as const;

type ProblemKind = keyof typeof PROBLEM_TITLES;

/** An answer of RFC 9457, before it has an instance. */
export interface Problem {
  kind: ProblemKind;
  status: number;
  detail: string;
  /** Members beside those of RFC 9457. */
  members?: Readonly<Record<string, unknown>>;
  headers?: Readonly<Record<string, string>>;
}

export const PROBLEM_CONTENT_TYPE = "application/problem+json";

/** 400: what was asked cannot be understood; the same request will always fail. */
export const invalid = (detail: string): Problem => ({ kind: "invalid-request", status: 400, detail });

export const notFound = (path: string): Problem => ({
  kind: "not-found",
  status: 404,
  detail: `there is nothing at ${path}; /docs lists every path`,
});

export const noSuchKey = (): Problem => ({ kind: "not-found", status: 404, detail: "there is no such key" });

export const methodNotAllowed = (allow: string): Problem => ({
  kind: "method-not-allowed",
  status: 405,
  detail: `only ${allow} is possible here`,
  headers: { Allow: allow },
});

export const tooLarge = (maxBytes: number): Problem => ({
  kind: "too-large",
  status: 413,
  detail: `a body holds at most ${maxBytes} bytes`,
});

export const unsupported = (detail: string, accept = "application/json"): Problem => ({
  kind: "unsupported-media-type",
  status: 415,
  detail,
  headers: { Accept: accept },
});

/** 429: too many different heavy questions at once; the same request succeeds later. */
export const overloaded = (detail: string): Problem => ({
  kind: "overloaded",
  status: 429,
  detail,
  headers: { "Retry-After": "1" },
});

/** 503: a store cannot be read now. */
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

/** The body of the answer: RFC 9457 members, then those of this problem. */
export function problemBody(problem: Problem, instance: string): string {
  return JSON.stringify({
    type: `urn:viewmill:problem:${problem.kind}`,
    title: PROBLEM_TITLES[problem.kind],
    status: problem.status,
    detail: problem.detail,
    instance,
    ...problem.members,
  });
}
