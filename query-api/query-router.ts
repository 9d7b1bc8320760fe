// SPDX-License-Identifier: Apache-2.0
/**
 * The read API: every path, each in its own file, and the answers that all paths share. `serve` mounts it, with
 * admission before each path.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import express, { type ErrorRequestHandler, type Request, type Response, Router } from "express";
import { Admission } from "../admission/admission";
import type { Refusal } from "../admission/refusal";
import { StoreUnavailableError } from "../io/ports";
import type { Answer } from "./answer";
import { refused } from "./answer";
import { deadLetterEndpoints } from "./dead-letters";
import type { QueryDependencies } from "./dependencies";
import type { AskedRequest, Endpoint } from "./endpoint";
import { getAlerts } from "./get-alerts";
import { getAudits } from "./get-audits";
import { getBadge } from "./get-badge";
import { channelEndpoints } from "./get-channel";
import { getCounts } from "./get-counts";
import { getClientScript, getDashboard, getDashboardAsset, getEmbed } from "./get-dashboard";
import { getDocs, getDocsPage } from "./get-docs";
import { getHealth } from "./get-health";
import { getLedger } from "./get-ledger";
import { getLive } from "./get-live";
import { getMetrics, METRICS_PATH } from "./get-metrics";
import { getOpenApi } from "./get-openapi";
import { getReady } from "./get-ready";
import { getStats } from "./get-stats";
import { getTop } from "./get-top";
import { getTrending } from "./get-trending";
import { getVideo } from "./get-video";
import { getVideos } from "./get-videos";
import { type HotReads, hotReads } from "./hot-reads";
import { keyEndpoints } from "./keys";
import { type OpenApi, openApiDocument } from "./openapi";
import { postQuery } from "./post-query";
import {
  internal,
  invalid,
  methodNotAllowed,
  notFound,
  type Problem,
  tooLarge,
  unavailable,
  unsupported,
} from "./problem";
import { putCatalogChannels, putCatalogVideos } from "./put-catalog";
import { QueryMetrics } from "./query-metrics";
import { type HeaderFields, respond, respondProblem, respondRefusal } from "./respond";
import { unknownVideos } from "./unknown-videos";
import { webhookEndpoints } from "./webhooks";

/**
 * The route label of requests that matched no route, or were refused before one ran, because the number of paths is
 * unbounded.
 */
const NO_ROUTE = "none";
const MAX_QUERY_BYTES = 64 << 10;
const MAX_LINES_BYTES = 8 << 20;

export interface QueryApi {
  /**
   * Must be mounted last: the router answers every path, unknown ones with 404. It opens and closes no resource. A
   * registry can have one router only.
   */
  router: Router;
  /** Answers some of the router's requests, exactly as the router does. */
  hotReads: HotReads;
}

/** Creates the read API: its router, and what a service answers in front of the router. */
export function createQueryApi(given: QueryDependencies): QueryApi {
  const unknown = unknownVideos(given);
  const dependencies: QueryDependencies = { ...given, ...(unknown && { unknown }) };
  const { logger } = dependencies;
  const admission = dependencies.admission ?? new Admission({ clock: dependencies.clock });
  const metrics = new QueryMetrics(dependencies);
  const router = Router({ caseSensitive: true });
  const { answers } = dependencies;
  const all = allEndpoints(dependencies).map((one) =>
    one.isShared === true && answers !== undefined ? answers.of(one) : one,
  );
  const answer = async (
    endpoint: Endpoint,
    request: IncomingMessage,
    asked: AskedRequest,
    response: ServerResponse,
    fields?: HeaderFields,
  ) => {
    const startedMs = performance.now();
    respond(request, response, await answerTo(endpoint, asked, dependencies), logger, fields);
    const seconds = (performance.now() - startedMs) / 1000;
    metrics.answered(endpoint.path, request.method ?? "", response.statusCode, seconds);
  };
  const admitting = (
    endpoint: Endpoint,
    request: IncomingMessage & { path?: string },
    response: ServerResponse,
    next: () => unknown,
    fields?: HeaderFields,
  ) => {
    const verdict = admitted(admission, endpoint, request, response, dependencies);
    if (verdict === "admitted") return void next();
    if ("refusal" in verdict) respondRefusal(response, verdict.refusal, logger, fields);
    else respondProblem(response, verdict.problem, logger, fields);
    metrics.answered(endpoint.path, request.method ?? "", response.statusCode, 0);
  };
  for (const endpoints of byPath(all).values()) {
    const { match } = endpoints[0]!;
    for (const endpoint of endpoints) {
      const run = (request: Request, response: Response) => answer(endpoint, request, request, response);
      const admit = (request: Request, response: Response, next: () => void) =>
        admitting(endpoint, request, response, next);
      if (endpoint.method === "post") router.post(match, admit, jsonBody, run);
      else if (endpoint.method === "put") router.put(match, admit, linesOf(endpoint), run);
      else if (endpoint.method === "delete") router.delete(match, admit, run);
      else router.get(match, admit, run);
    }
    const allow = endpoints.map(({ method }) => (method === "get" ? "GET, HEAD" : method.toUpperCase())).join(", ");
    router.all(match, (request, response) => {
      respondProblem(response, methodNotAllowed(allow), logger);
      metrics.answered(endpoints[0]!.path, request.method, response.statusCode, 0);
    });
  }
  router.use((request, response) => {
    respondProblem(response, notFound(request.path), logger);
    metrics.answered(NO_ROUTE, request.method, response.statusCode, 0);
  });
  const failed: ErrorRequestHandler = (error, request, response, _next) => {
    const problem = problemOf(error);
    if (problem.status >= 500) logger.error({ err: error }, "request failed");
    respondProblem(response, problem, logger);
    metrics.answered(NO_ROUTE, request.method, response.statusCode, 0);
  };
  router.use(failed);
  const ask: Parameters<typeof hotReads>[1]["ask"] = (endpoint, request, asked, response, fields) =>
    admitting(endpoint, request, response, () => answer(endpoint, request, asked, response, fields), fields);
  const repeat: Parameters<typeof hotReads>[1]["repeat"] = (kept, request, response, fields) => {
    const startedMs = performance.now();
    const send = () => {
      respond(request, response, kept.answer, logger, fields);
      const seconds = (performance.now() - startedMs) / 1000;
      metrics.answered(kept.endpoint.path, "GET", response.statusCode, seconds);
    };
    admitting(kept.endpoint, request, response, send, fields);
  };
  return { router, hotReads: hotReads(all, { ask, repeat, answers }) };
}

/** Reads a body of lines as bytes, of which each line is judged. A body of another type or charset is left alone. */
const linesOf = ({ operation }: Endpoint) =>
  express.raw({
    type: (request) => isOfType(request.headers["content-type"], operation.requestType ?? "text/plain"),
    limit: MAX_LINES_BYTES,
  });

const isOfType = (stated: string | undefined, type: string): boolean => {
  const [mediaType = "", ...parameters] = (stated ?? "").toLowerCase().split(";");
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith("charset="));
  return mediaType.trim() === type && (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
};

/** Bytes that are no UTF-8 would become other characters, e.g. in the name of a key. */
const jsonBody = express.json({
  limit: MAX_QUERY_BYTES,
  verify: (_request, _response, bytes) => {
    if (!isUtf8(bytes)) throw new Error("the body is not UTF-8");
  },
});

/**
 * Runs before a body is read, so that a client without permission causes no work. Sets the RateLimit fields of the
 * answer.
 */
function admitted(
  admission: Admission,
  { operation, path }: Endpoint,
  request: IncomingMessage & { path?: string },
  response: ServerResponse,
  { operations }: Pick<QueryDependencies, "operations">,
): "admitted" | { refusal: Refusal } | { problem: Problem } {
  const scope = operation.scope ?? "read";
  if (scope === "none") return "admitted";
  const isOperating = scope === "operate" || path === METRICS_PATH;
  if (isOperating && operations?.isElsewhere(request) === true) return { problem: notFound(request.path ?? path) };
  if (path === METRICS_PATH && operations?.isWithin(request) === true) return "admitted";
  const verdict = admission.judge(request, scope);
  if (verdict.kind === "refused") return { refusal: verdict.refusal };
  for (const [name, value] of Object.entries(verdict.caller.headers())) response.setHeader(name, value);
  return "admitted";
}

/** All endpoints in the order in which they are matched: a video's counts before the video. */
function allEndpoints(dependencies: QueryDependencies): Endpoint[] {
  const document = (): OpenApi => openApiDocument(endpoints);
  const endpoints: Endpoint[] = [
    getCounts(dependencies),
    getStats(dependencies),
    getBadge(dependencies),
    getVideo(dependencies),
    ...channelEndpoints(dependencies),
    getVideos(dependencies),
    putCatalogVideos(dependencies),
    putCatalogChannels(dependencies),
    getTop(dependencies),
    getTrending(dependencies),
    postQuery(dependencies),
    getLedger(dependencies),
    getAudits(dependencies),
    getAlerts(dependencies),
    ...keyEndpoints(dependencies),
    ...deadLetterEndpoints(dependencies),
    ...webhookEndpoints(dependencies),
    getHealth(),
    getReady(dependencies),
    getMetrics(dependencies),
    getOpenApi(document),
    getDocs(document),
    getDocsPage(document),
    getLive(dependencies),
    getDashboard(),
    getDashboardAsset(),
    getEmbed(),
    getClientScript(),
  ];
  return endpoints;
}

function byPath(endpoints: readonly Endpoint[]): Map<string, Endpoint[]> {
  const paths = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) paths.set(endpoint.path, [...(paths.get(endpoint.path) ?? []), endpoint]);
  return paths;
}

/** Never rejects. */
async function answerTo(endpoint: Endpoint, request: AskedRequest, { logger }: QueryDependencies): Promise<Answer> {
  try {
    return await endpoint.answer(request);
  } catch (error) {
    logger.error({ err: error, path: endpoint.path }, "request failed");
    return refused(problemOf(error));
  }
}

/**
 * Returns the part of an exception that the caller may see: the body parser and the router say what is wrong with the
 * request.
 */
function problemOf(error: unknown): Problem {
  if (error instanceof StoreUnavailableError) return unavailable("a store cannot be read now");
  const { status, type, limit } = error as { status?: unknown; type?: unknown; limit?: unknown };
  if (error instanceof URIError) return invalid("the path is not percent-encoded UTF-8");
  if (type === "entity.verify.failed") return invalid("the body is not UTF-8");
  if (status === 413) return tooLarge(typeof limit === "number" ? limit : MAX_QUERY_BYTES);
  if (status === 415) return unsupported("the body must be JSON in UTF-8, plain or as gzip, deflate, br or zstd");
  if (status === 400)
    return invalid(type === "entity.parse.failed" ? "the body is not JSON" : "the request is malformed");
  return internal();
}
