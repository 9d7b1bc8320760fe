// SPDX-License-Identifier: Apache-2.0
/**
 * Reads that are answered before Express sees them, because they are nearly all requests of a busy service. The front
 * of `serve` asks it first.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { parse } from "node:querystring";
import type { AnswerCache, KeptAnswer } from "./answer-cache";
import type { AskedRequest, Endpoint } from "./endpoint";
import type { HeaderFields } from "./respond";

/**
 * Finds who answers a request without a router; undefined: the router must see it. `fields`: header fields of the
 * answer beside its own.
 */
export type HotReads = (
  request: IncomingMessage,
) => ((response: ServerResponse, fields: HeaderFields) => void) | undefined;

/** The two ways to answer; both admit the request first. */
interface Answering {
  /** Answers what the request asks of the endpoint. */
  ask(
    endpoint: Endpoint,
    request: IncomingMessage,
    asked: AskedRequest,
    response: ServerResponse,
    fields: HeaderFields,
  ): void;
  /** Answers with what is kept. */
  repeat(kept: KeptAnswer, request: IncomingMessage, response: ServerResponse, fields: HeaderFields): void;
  /** Absent: nothing is kept. */
  answers: AnswerCache | undefined;
}

/** The number of different queries that are kept, and their length. Nearly all readers ask for the same few ranges. */
const MOST_QUERIES = 128;
const MOST_CHARACTERS = 400;

const NO_QUERY = Object.freeze({});

/** Parses queries as Express's "simple" parser does. Those of the same text are the same object for a while. */
class Queries {
  readonly #known = new Map<string, object>();

  of(text: string): object {
    if (text.length > MOST_CHARACTERS) return parse(text);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_QUERIES) this.#known.clear();
    const query = Object.freeze(parse(text));
    this.#known.set(text, query);
    return query;
  }
}

const API_PREFIX = "/v1/";
const VIDEOS_PREFIX = "/v1/videos/";
/** Without what a router decodes or normalises. */
const PLAIN_PATH = /^[A-Za-z0-9_\-.:/]+$/;

/**
 * The reads of single videos, where their path needs no decoding, and those of hot paths without a part that varies:
 * the same endpoints with the same answers, matched in the order in which the router matches them. `endpoints`: all of
 * the API.
 */
export function hotReads(endpoints: readonly Endpoint[], { ask, repeat, answers }: Answering): HotReads {
  const routes = endpoints.filter(({ method, match }) => method === "get" && match instanceof RegExp);
  const whole = new Map(
    endpoints.filter(({ method, isHot }) => method === "get" && isHot === true).map((one) => [one.match, one]),
  );
  const queries = new Queries();
  const answering = (endpoint: Endpoint, request: IncomingMessage, parameter: string | undefined, queryAt: number) => {
    const asked: AskedRequest = {
      params: parameter === undefined ? {} : { 0: parameter },
      query: queryAt < 0 ? NO_QUERY : queries.of(request.url!.slice(queryAt + 1)),
      wholeUrl: request.url!,
      get: (name) => headerOf(request, name),
    };
    return (response: ServerResponse, fields: HeaderFields) => ask(endpoint, request, asked, response, fields);
  };
  return (request) => {
    const url = request.url ?? "";
    if (request.method !== "GET" || !url.startsWith(API_PREFIX)) return undefined;
    const kept = answers?.keptFor(url);
    if (kept !== undefined) return (response, fields) => repeat(kept, request, response, fields);
    const queryAt = url.indexOf("?");
    const path = queryAt < 0 ? url : url.slice(0, queryAt);
    const exact = whole.get(path);
    if (exact !== undefined) return answering(exact, request, undefined, queryAt);
    if (!path.startsWith(VIDEOS_PREFIX) || !PLAIN_PATH.test(path)) return undefined;
    for (const endpoint of routes) {
      const found = (endpoint.match as RegExp).exec(path);
      if (found === null) continue;
      return endpoint.isHot === true ? answering(endpoint, request, found[1] ?? "", queryAt) : undefined;
    }
    return undefined;
  };
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(", ") : value;
}
