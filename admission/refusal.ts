// SPDX-License-Identifier: Apache-2.0
/** The refusals of admission, with their titles. Admission makes them, and both APIs answer with them. */

/** The reasons for refusing admission: problems that the write API and the read API share (RFC 9457). */
export const ADMISSION_TITLES = {
  unauthorized: "A key is needed",
  forbidden: "The key may not do this",
  "rate-limited": "The key does too much, send again later",
  "quota-exceeded": "The key has used up its day",
  "keys-unavailable": "Keys cannot be checked now, send again later",
} as const;

export interface Refusal {
  kind: keyof typeof ADMISSION_TITLES;
  status: 401 | 403 | 429 | 503;
  detail: string;
  headers: Readonly<Record<string, string>>;
}

/** 401 (RFC 6750, 3). `error` is set where the request has a key that is not valid. */
export const unauthorized = (detail: string, error?: "invalid_token"): Refusal => ({
  kind: "unauthorized",
  status: 401,
  detail,
  headers: { "WWW-Authenticate": `Bearer realm="viewmill"${error === undefined ? "" : `, error="${error}"`}` },
});

export const forbidden = (detail: string): Refusal => ({ kind: "forbidden", status: 403, detail, headers: {} });

export const keysUnavailable = (): Refusal => ({
  kind: "keys-unavailable",
  status: 503,
  detail: "the store of the keys does not answer",
  headers: { "Retry-After": "2" },
});
