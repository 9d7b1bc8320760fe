// SPDX-License-Identifier: Apache-2.0
/** The writing of an answer to HTTP, with its header fields and conditional requests. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Refusal } from "../admission/refusal";
import { sendRefusal } from "../admission/refusal-answer";
import type { Answer } from "./answer";
import { PROBLEM_CONTENT_TYPE, type Problem, problemBody } from "./problem";

/**
 * Header fields, each name followed by its value: Node writes such a list as it stands, where it keeps, checks and
 * sorts what `setHeader` takes.
 */
export type HeaderFields = readonly string[];

/**
 * Writes an answer; a GET or HEAD whose If-None-Match names the answer's ETag gets 304. `fields`: of every answer on
 * this road, where no middleware has set them. Express's routes and the hot ones before Express both end here.
 */
export function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  logger: Logger,
  fields: HeaderFields = [],
): void {
  if (response.headersSent || response.destroyed) return;
  if (answer.kind === "problem") {
    respondProblem(response, answer.problem, logger, fields);
    return;
  }
  if (answer.kind === "events") {
    respondEvents(request, response, answer);
    return;
  }
  const headers = [...fields];
  for (const name in answer.headers) headers.push(name, answer.headers[name]!);
  headers.push("Cache-Control", cacheControlFor(request, answer.cacheControl));
  if (answer.etag !== undefined) headers.push("ETag", answer.etag);
  const conditional = request.method === "GET" || request.method === "HEAD";
  if (conditional && answer.etag !== undefined && isCurrent(request.headers["if-none-match"], answer.etag)) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  headers.push("Content-Type", answer.contentType);
  send(response, 200, headers, answer.body);
}

/**
 * What was answered to a request with credentials is for this client: a `public` answer would let a cache in front of
 * the service give it to those without a key (RFC 9111, 3.5).
 */
const cacheControlFor = ({ headers }: IncomingMessage, cacheControl: string): string =>
  headers.authorization === undefined ? cacheControl : cacheControl.replace(/^public\b/, "private");

type EventsAnswer = Extract<Answer, { kind: "events" }>;

const EVENT_STREAM_HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store",
  // Without this field nginx buffers a proxied answer.
  "X-Accel-Buffering": "no",
};
/** The time after which a client whose connection was cut connects again. */
const RETRY_MS = 2_000;

/**
 * Sends server-sent events (HTML standard, 9.2) until the client closes the connection. A client that does not read is
 * sent no further event until it does.
 */
function respondEvents(request: IncomingMessage, response: ServerResponse, { open, stopping }: EventsAnswer): void {
  response.writeHead(200, EVENT_STREAM_HEADERS);
  if (request.method === "HEAD" || stopping.aborted) {
    response.end();
    return;
  }
  response.write(`retry: ${RETRY_MS}\n\n`);
  const end = open((id, data) => {
    if (response.destroyed || response.writableNeedDrain) return false;
    response.write(`id: ${id}\nevent: live\ndata: ${data}\n\n`);
    return true;
  });
  const stop = () => response.end();
  stopping.addEventListener("abort", stop);
  response.on("close", () => {
    stopping.removeEventListener("abort", stop);
    end();
  });
}

/** Answers a request that admission refuses. */
export function respondRefusal(
  response: ServerResponse,
  refusal: Refusal,
  logger: Logger,
  fields?: HeaderFields,
): void {
  if (response.headersSent || response.destroyed) return;
  const instance = sendRefusal(response, refusal, fields);
  if (refusal.status >= 500) logger.warn({ instance, problem: refusal }, "request refused");
}

export function respondProblem(
  response: ServerResponse,
  problem: Problem,
  logger: Logger,
  fields: HeaderFields = [],
): void {
  if (response.headersSent || response.destroyed) return;
  const instance = `urn:uuid:${randomUUID()}`;
  if (problem.status >= 500) logger.warn({ instance, problem }, "request refused");
  const headers = [...fields, ...Object.entries(problem.headers ?? {}).flat()];
  headers.push("Content-Type", PROBLEM_CONTENT_TYPE, "Cache-Control", "no-store");
  send(response, problem.status, headers, problemBody(problem, instance));
}

/**
 * Node leaves the body out of the answer to a HEAD, and writes a body that is text together with the header: one call
 * of the system.
 */
function send(response: ServerResponse, status: number, headers: string[], body: string): void {
  const bytes = Buffer.byteLength(body);
  headers.push("Content-Length", String(bytes));
  response.writeHead(status, headers);
  // Text of ASCII has the same bytes in both. Node writes Latin-1 of up to 16 KiB at once, UTF-8 of a third of that.
  response.end(body, bytes === body.length ? "latin1" : "utf8");
}

/** Compares weakly (RFC 9110, 13.1.2). */
function isCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = etag.replace(/^W\//, "");
  return ifNoneMatch.split(",").some((one) => one.trim().replace(/^W\//, "") === opaque);
}
