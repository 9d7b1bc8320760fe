// SPDX-License-Identifier: Apache-2.0
/** The refusals of the write API (RFC 9457): their kinds, titles and bodies. `Ingest` answers with them. */
import { type ProblemOf, problemText } from "../admission/problem";
import { ADMISSION_TITLES } from "../admission/refusal";
import type { RejectionReason } from "../domain/rejection";

export { internal, methodNotAllowed, overloaded, PROBLEM_CONTENT_TYPE, unavailable } from "../admission/problem";

/** The problems with a request as a whole: the closed list of problem types. */
type ProblemKind =
  | "malformed-body"
  | "too-large"
  | "unsupported-media-type"
  | "method-not-allowed"
  | "overloaded"
  | "unavailable"
  | "internal"
  | keyof typeof ADMISSION_TITLES;

export interface Problem extends ProblemOf<ProblemKind> {
  /** The reason in the contract's closed list, where the problem with the body is in that list. */
  reason?: RejectionReason;
}

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

/** Returns the body of the answer, with its `reason`. */
export function problemBody(problem: Problem, instance: string): string {
  return problemText(problem, TITLES, instance, problem.reason === undefined ? {} : { reason: problem.reason });
}
