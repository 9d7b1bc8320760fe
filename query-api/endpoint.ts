// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import type { Scope } from "../io/ports/access-keys";
import { type Answer, refused } from "./answer";
import { invalid, unsupported } from "./problem";
import { channelIdSchema, videoIdSchema } from "./schemas";

/** What openapi.json says of an endpoint beside its schemas. */
interface Operation {
  operationId: string;
  tag: "counters" | "catalog" | "proof" | "operation";
  summary: string;
  /** What a key must allow, where there are keys; `none`: everybody may ask. Default read. */
  scope?: Scope | "none";
  description?: string;
  /** The answer's schema; a text answer has none. */
  answer?: z.ZodType;
  contentType?: string;
  /** Of the body, where it is not JSON. */
  requestType?: string;
  /** Statuses answered as problem+json, beside 500. */
  problems: readonly number[];
}

/** What an endpoint sees of a request. */
export interface AskedRequest {
  params: Readonly<Record<string, string | string[]>>;
  query: object;
  body?: unknown;
  get(name: string): string | undefined;
}

/** One path of the read API: what it answers to, what it does, and how it is documented. */
export interface Endpoint {
  method: "get" | "post" | "put" | "delete";
  /** As in openapi.json. */
  path: string;
  /** As Express matches it, where that is not `path`. */
  match: string | RegExp;
  query: z.ZodObject;
  body?: z.ZodType;
  operation: Operation;
  /** Asked so often that it is answered in front of the router, too (hot-reads.ts). */
  isHot?: boolean;
  /** Its answers are shared for a moment, where the service keeps answers (answer-cache.ts). */
  isShared?: boolean;
  /** Rejects with StoreUnavailableError, or for bugs. */
  answer(request: AskedRequest): Promise<Answer>;
}

interface Asked<Q, B> {
  /** Decoded and checked; empty where the path has none. */
  videoId: string;
  /** As videoId, where the path has one. */
  channelId: string;
  /** Of a file; empty where the path has none. */
  name: string;
  /** Not checked; empty where the path has none. */
  keyId: string;
  query: Q;
  body: B;
  /** Of an event stream that goes on where an earlier one was cut. */
  lastEventId?: string | undefined;
}

/** An endpoint whose `handle` sees only what its schemas let through; the rest is answered 400. */
export function endpoint<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined>(
  spec: Omit<Endpoint, "query" | "body" | "answer" | "match"> & {
    match?: RegExp;
    query: Q;
    body?: B;
    handle(asked: Asked<z.output<Q>, z.output<B>>): Promise<Answer>;
  },
): Endpoint {
  const { handle, match, ...rest } = spec;
  const answer = async (request: AskedRequest): Promise<Answer> => {
    let videoId = "";
    if (spec.path.includes("{videoId}")) {
      const parsed = videoIdSchema.safeParse(request.params[0]);
      if (!parsed.success) return refused(invalid(reasons(parsed.error, "videoId")));
      videoId = parsed.data;
    }
    let channelId = "";
    if (spec.path.includes("{channelId}")) {
      const parsed = channelIdSchema.safeParse(request.params[0]);
      if (!parsed.success) return refused(invalid(reasons(parsed.error, "channelId")));
      channelId = parsed.data;
    }
    const name = spec.path.includes("{name}") ? String(request.params[0]) : "";
    const keyId = spec.path.includes("{keyId}") ? String(request.params[0]) : "";
    const ids = { videoId, channelId, name, keyId };
    const query = spec.query.safeParse({ ...request.query });
    if (!query.success) return refused(invalid(reasons(query.error, "query")));
    if (spec.body === undefined) {
      const lastEventId = request.get("last-event-id");
      return handle({ ...ids, query: query.data, body: undefined as z.output<B>, lastEventId });
    }
    if (request.body === undefined) {
      const type = spec.operation.requestType;
      return refused(unsupported(`the body must be ${type ?? "JSON"}, with its Content-Type`, type));
    }
    const body = spec.body.safeParse(request.body);
    if (!body.success) return refused(invalid(reasons(body.error, "body")));
    return handle({ ...ids, query: query.data, body: body.data });
  };
  return { ...rest, match: match ?? spec.path, answer };
}

const SHOWN_ISSUES = 5;

/** One line: every parameter that is wrong, and why. */
function reasons(error: z.ZodError, whole: string): string {
  const shown = error.issues
    .slice(0, SHOWN_ISSUES)
    .map(({ path, message }) => `${path.join(".") || whole}: ${message}`);
  const more = error.issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
