// SPDX-License-Identifier: Apache-2.0
/**
 * What an endpoint returns, and the ways to make it: JSON, text, a refusal, a stream of events. Every endpoint of the
 * read API answers with it.
 */
import { hash } from "node:crypto";
import type { Freshness } from "./freshness";
import type { Problem } from "./problem";

/** The answer of an endpoint; respond.ts writes it. */
export type Answer =
  | {
      kind: "content";
      contentType: string;
      body: string;
      cacheControl: string;
      /** The entity tag of the answer's meaning (weak: asOf changes without it). */
      etag?: string;
      headers?: Readonly<Record<string, string>>;
    }
  | { kind: "problem"; problem: Problem }
  | {
      kind: "events";
      /**
       * Called once the headers are written. `send` sends a message where the client has read the one before. Returns
       * the function that ends the messages.
       */
      open: (send: SendEvent) => () => void;
      /** Aborted when the service stops. The stream ends then, and the client connects again to another instance. */
      stopping: AbortSignal;
    };

/** Sends one server-sent event. Returns false where the client has not read the one before yet. */
export type SendEvent = (id: string, data: string) => boolean;

export const refused = (problem: Problem): Answer => ({ kind: "problem", problem });

export const NO_STORE = "no-store";

/** Returns JSON that does not depend on the freshness of the counters. */
export function plainJson(content: unknown, cacheControl: string = NO_STORE): Answer {
  return text("application/json", JSON.stringify(content), cacheControl);
}

/**
 * Returns an answer read from the counters: `content` is a JSON object's text, to which asOf and completeThrough are
 * added. The ETag covers everything but these two members, because otherwise no answer would ever equal the one before.
 * It also covers, where a range has an end, whether every event accepted up to that end is counted. The ETag is weak
 * because the bytes do differ. A 304 is truthful: the numbers are the same, and the statement of the stored answer
 * ("every event accepted before its completeThrough is counted") stays true. The newer asOf and completeThrough are
 * sent as headers, on the 304 too, so that a client that waits for completeThrough to pass a time can use conditional
 * reads.
 */
export function countersJson(content: string, freshness: Freshness, cacheControl: string, endMs?: number): Answer {
  return countersAnswer(hashedContent(content), freshness, cacheControl, endMs);
}

/**
 * Returns the answer of a reading that began so long ago: its Age, rounded up, keeps caches behind the service from
 * keeping the answer longer than its Cache-Control allows. An answer that is kept twice has both ages.
 */
export function aged(answer: Answer, ageMs: number): Answer {
  if (answer.kind !== "content") return answer;
  const age = Number(answer.headers?.Age ?? 0) + Math.max(1, Math.ceil(ageMs / 1000));
  return { ...answer, headers: { ...answer.headers, Age: String(age) } };
}

/** The text of an answer's content, and its hash. */
export interface HashedContent {
  readonly text: string;
  readonly hash: string;
}

/** The hash takes one native call: under a millisecond for the largest answers. */
export const hashedContent = (text: string): HashedContent => ({ text, hash: hash("sha1", text, "base64url") });

/** The content of a text that is made from a digest alone, which is shorter. */
export const digestedContent = (text: string, digest: string): HashedContent => ({
  text,
  hash: hash("sha1", digest, "base64url"),
});

/** As `countersJson`, of content that is hashed already. */
export function countersAnswer(
  content: HashedContent,
  freshness: Freshness,
  cacheControl: string,
  endMs?: number,
): Answer {
  const asOf = new Date(freshness.asOfMs).toISOString();
  const completeThrough = new Date(freshness.completeThroughMs).toISOString();
  const complete = endMs !== undefined && freshness.completeThroughMs >= endMs;
  return {
    kind: "content",
    contentType: "application/json",
    body: `${content.text.slice(0, -1)},"asOf":"${asOf}","completeThrough":"${completeThrough}"}`,
    cacheControl,
    ...(cacheControl === NO_STORE ? {} : { etag: etagOf(content.hash, complete ? "c" : "p") }),
    headers: { "Viewmill-As-Of": asOf, "Viewmill-Complete-Through": completeThrough },
  };
}

/** Returns an answer that is not read from the counters: a page or a document. */
export function text(
  contentType: string,
  body: string,
  cacheControl: string,
  headers?: Record<string, string>,
): Answer {
  const content = { kind: "content", contentType, body, cacheControl } as const;
  if (cacheControl === NO_STORE) return { ...content, ...(headers && { headers }) };
  return { ...content, etag: etagOf(hashedContent(body).hash, ""), ...(headers && { headers }) };
}

const etagOf = (contentHash: string, mark: string): string => `W/"${contentHash}${mark}"`;
