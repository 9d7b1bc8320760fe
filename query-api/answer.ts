// SPDX-License-Identifier: Apache-2.0
import { hash } from "node:crypto";
import type { Freshness } from "./freshness";
import type { Problem } from "./problem";

/** What an endpoint gives back; respond.ts writes it. */
export type Answer =
  | {
      kind: "content";
      contentType: string;
      body: string;
      cacheControl: string;
      /** Of the answer's meaning (weak: asOf moves without it). */
      etag?: string;
      headers?: Readonly<Record<string, string>>;
    }
  | { kind: "problem"; problem: Problem }
  | {
      kind: "events";
      /**
       * Called once the headers are out: `send` takes a message where the client has taken the one before. Gives what
       * ends the messages.
       */
      open: (send: SendEvent) => () => void;
      /** Aborted when the service stops: the stream ends, and the client comes again to whoever answers then. */
      stopping: AbortSignal;
    };

/** Sends one server-sent event; false where the client has not taken the one before yet. */
export type SendEvent = (id: string, data: string) => boolean;

export const refused = (problem: Problem): Answer => ({ kind: "problem", problem });

export const NO_STORE = "no-store";

/** JSON that has nothing to do with the freshness of the counters. */
export function plainJson(content: unknown, cacheControl: string = NO_STORE): Answer {
  return text("application/json", JSON.stringify(content), cacheControl);
}

/**
 * An answer read from the counters: `content` is a JSON object's text, to which asOf and completeThrough are added.
 *
 * The ETag covers everything but these two (else no answer would ever equal the one before) and, where a range has
 * an end, whether every event accepted up to that end is in. It is weak because the bytes do differ. A 304 is truthful:
 * the numbers are the same, and what the stored answer says ("every event accepted before its completeThrough is
 * in") stays true. The newer asOf and completeThrough come as headers, on the 304 too, so that a client that
 * waits for completeThrough to pass a time can do so with conditional reads.
 */
export function countersJson(content: string, freshness: Freshness, cacheControl: string, endMs?: number): Answer {
  const asOf = new Date(freshness.asOfMs).toISOString();
  const completeThrough = new Date(freshness.completeThroughMs).toISOString();
  const complete = endMs !== undefined && freshness.completeThroughMs >= endMs;
  return {
    kind: "content",
    contentType: "application/json",
    body: `${content.slice(0, -1)},"asOf":"${asOf}","completeThrough":"${completeThrough}"}`,
    cacheControl,
    ...(cacheControl === NO_STORE ? {} : { etag: etagOf(content, complete ? "c" : "p") }),
    headers: { "Viewmill-As-Of": asOf, "Viewmill-Complete-Through": completeThrough },
  };
}

/** For everything that is not read from the counters: pages and documents. */
export function text(
  contentType: string,
  body: string,
  cacheControl: string,
  headers?: Record<string, string>,
): Answer {
  const content = { kind: "content", contentType, body, cacheControl } as const;
  if (cacheControl === NO_STORE) return { ...content, ...(headers && { headers }) };
  return { ...content, etag: etagOf(body, ""), ...(headers && { headers }) };
}

/** Hashed in one native call: under a millisecond for the largest answers. */
const etagOf = (content: string, mark: string): string => `W/"${hash("sha1", content, "base64url")}${mark}"`;
