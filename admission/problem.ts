// SPDX-License-Identifier: Apache-2.0
/**
 * The problems (RFC 9457) that the write API and the read API share. Each API has its own closed list of kinds, with
 * titles.
 */

/** A problem before it gets its instance. */
export interface ProblemOf<Kind extends string> {
  kind: Kind;
  status: number;
  detail: string;
  headers?: Readonly<Record<string, string>>;
}

export const PROBLEM_CONTENT_TYPE = "application/problem+json";

export const methodNotAllowed = (allow: string) => ({
  kind: "method-not-allowed" as const,
  status: 405,
  detail: `only ${allow} is possible here`,
  headers: { Allow: allow },
});

/** 429: this server is overloaded; the same request succeeds later. */
export const overloaded = (detail: string) => ({
  kind: "overloaded" as const,
  status: 429,
  detail,
  headers: { "Retry-After": "1" },
});

/** 503: a dependency of this server is away, or the server is shutting down. */
export const unavailable = (detail: string) => ({
  kind: "unavailable" as const,
  status: 503,
  detail,
  headers: { "Retry-After": "2" },
});

export const internal = () => ({
  kind: "internal" as const,
  status: 500,
  detail: "the failure is in the server's log under this instance",
});

/** Returns the body of the answer: the members of RFC 9457, then the members of this problem. */
export function problemText<Kind extends string>(
  { kind, status, detail }: ProblemOf<Kind>,
  titles: Readonly<Record<Kind, string>>,
  instance: string,
  members: Readonly<Record<string, unknown>> = {},
): string {
  return JSON.stringify({
    type: `urn:viewmill:problem:${kind}`,
    title: titles[kind],
    status,
    detail,
    instance,
    ...members,
  });
}
