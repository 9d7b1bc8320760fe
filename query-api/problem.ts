// SPDX-License-Identifier: Apache-2.0
/** The refusals of the read API (RFC 9457): their kinds, titles and bodies. Its endpoints answer with them. */
import { type ProblemOf, problemText } from "../admission/problem";
import { ADMISSION_TITLES } from "../admission/refusal";

export { internal, methodNotAllowed, overloaded, PROBLEM_CONTENT_TYPE, unavailable } from "../admission/problem";

/** The problems with a read: the closed list of problem types, with their titles. */
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

export interface Problem extends ProblemOf<ProblemKind> {
  /** Members beside those of RFC 9457. */
  members?: Readonly<Record<string, unknown>>;
}

/** 400: the request cannot be understood, and will always fail. */
export const invalid = (detail: string): Problem => ({ kind: "invalid-request", status: 400, detail });

export const notFound = (path: string): Problem => ({
  kind: "not-found",
  status: 404,
  detail: `there is nothing at ${path}; /docs lists every path`,
});

export const noSuchKey = (): Problem => ({ kind: "not-found", status: 404, detail: "there is no such key" });

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

/** Returns the body of the answer, with the problem's own members. */
export const problemBody = (problem: Problem, instance: string): string =>
  problemText(problem, PROBLEM_TITLES, instance, problem.members);
