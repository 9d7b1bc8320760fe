// SPDX-License-Identifier: Apache-2.0
/**
 * The form of an endpoint: its path, scope, schemas and function. The router mounts endpoints, and the OpenAPI document
 * is made from them.
 */
import type { z } from "zod";
import type { Scope } from "../io/ports/access-keys";
import { type Answer, refused } from "./answer";
import { invalid, type Problem, unsupported } from "./problem";
import { channelIdSchema, videoIdSchema } from "./schemas";

/** The description of an endpoint in openapi.json, beside its schemas. */
interface Operation {
  operationId: string;
  tag: "counters" | "catalog" | "proof" | "operation";
  summary: string;
  /** The scope that a key needs, where there are keys. `none`: every client may ask. Default read. */
  scope?: Scope | "none";
  description?: string;
  /** The answer's schema; a text answer has none. */
  answer?: z.ZodType;
  contentType?: string;
  /** The media type of the body, where it is not JSON. */
  requestType?: string;
  /** The statuses answered as problem+json, beside 500. */
  problems: readonly number[];
}

/** The parts of a request that an endpoint sees. */
export interface AskedRequest {
  params: Readonly<Record<string, string | string[]>>;
  /** On the road of hot-reads.ts the same object for the same text. No code changes it. */
  query: object;
  body?: unknown;
  /** The URL as it was sent, where nothing in it was rewritten. */
  wholeUrl?: string;
  get(name: string): string | undefined;
}

/** One path of the read API, with its function and its documentation. */
export interface Endpoint {
  method: "get" | "post" | "put" | "delete";
  /** The path in openapi.json. */
  path: string;
  /** The path as Express matches it, where that differs from `path`. */
  match: string | RegExp;
  query: z.ZodObject;
  body?: z.ZodType;
  operation: Operation;
  /** Whether the endpoint is read so often that hot-reads.ts answers it in front of the router, too. */
  isHot?: boolean;
  /** Whether its answers are shared for a moment, where the service keeps answers (answer-cache.ts). */
  isShared?: boolean;
  /** Answers a request. Rejects with StoreUnavailableError, or for bugs. */
  answer(request: AskedRequest): Promise<Answer>;
}

interface Asked<Q, B> {
  /** Decoded and checked; empty where the path has none. */
  videoId: string;
  /** As videoId, where the path has a channel. */
  channelId: string;
  /** The name of a file; empty where the path has none. */
  name: string;
  /** Not checked; empty where the path has none. */
  keyId: string;
  query: Q;
  body: B;
  /** The last message of an earlier event stream, after which this stream goes on. */
  lastEventId?: string | undefined;
}

/** Returns an endpoint whose `handle` sees only values that pass its schemas. Other requests get 400. */
export function endpoint<Q extends z.ZodObject, B extends z.ZodType = z.ZodUndefined>(
  spec: Omit<Endpoint, "query" | "body" | "answer" | "match"> & {
    match?: RegExp;
    query: Q;
    body?: B;
    handle(asked: Asked<z.output<Q>, z.output<B>>): Promise<Answer>;
  },
): Endpoint {
  const { handle, match, ...rest } = spec;
  const checkQuery = queryCheck(spec.query);
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
    const query = checkQuery(request);
    if ("problem" in query) return refused(query.problem);
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

/**
 * Returns the check of an endpoint's queries. The road of hot-reads.ts asks with the same few objects, each of which is
 * checked once.
 */
function queryCheck<Q extends z.ZodObject>(schema: Q) {
  type Checked = { data: z.output<Q> } | { problem: Problem };
  const known = new WeakMap<object, Checked>();
  return ({ query, wholeUrl }: AskedRequest): Checked => {
    const before = wholeUrl === undefined ? undefined : known.get(query);
    if (before !== undefined) return before;
    const parsed = schema.safeParse({ ...query });
    const checked = parsed.success ? { data: parsed.data } : { problem: invalid(reasons(parsed.error, "query")) };
    if (wholeUrl !== undefined) known.set(query, checked);
    return checked;
  };
}

const SHOWN_ISSUES = 5;

/** Returns one line with every wrong parameter and its reason. */
function reasons(error: z.ZodError, whole: string): string {
  const shown = error.issues
    .slice(0, SHOWN_ISSUES)
    .map(({ path, message }) => `${path.join(".") || whole}: ${message}`);
  const more = error.issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
