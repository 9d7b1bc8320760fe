// SPDX-License-Identifier: Apache-2.0
/**
 * The answers to requests that node:http refuses by itself, with an empty body, before any listener sees a request: a
 * client gets a problem (RFC 9457) for these, too. The listeners of `serve` answer with it.
 */
import { randomUUID } from "node:crypto";
import { type RequestListener, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { PROBLEM_CONTENT_TYPE, type ProblemOf, problemText } from "../../admission/problem";

const TITLES = {
  "malformed-request": "The request cannot be read",
  "request-timeout": "The request took too long to arrive",
  "too-large": "The request is too large",
  "headers-too-large": "The header fields are too large",
  "expectation-failed": "The expectation cannot be met",
} as const;

type Problem = ProblemOf<keyof typeof TITLES>;

const NO_HOST: Problem = {
  kind: "malformed-request",
  status: 400,
  detail: "a request of HTTP/1.1 needs the header field Host",
};
const EXPECTATION: Problem = {
  kind: "expectation-failed",
  status: 417,
  detail: "Expect can be 100-continue only",
};

/** `reason`: the parser's words, where the parser refused the request. */
interface ClientError extends Error {
  code?: string;
  reason?: string;
}

/** Returns undefined where the connection failed, so that nobody waits for an answer. */
function problemOf({ code = "", reason }: ClientError, maxHeaderBytes: number): Problem | undefined {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return { kind: "request-timeout", status: 408, detail: "the request did not arrive whole in time" };
  if (code === "HPE_HEADER_OVERFLOW") {
    const detail = `the header fields of a request hold at most ${maxHeaderBytes} bytes`;
    return { kind: "headers-too-large", status: 431, detail };
  }
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return { kind: "too-large", status: 413, detail: "the extensions of a body's chunks are too large" };
  if (!code.startsWith("HPE_")) return undefined;
  return { kind: "malformed-request", status: 400, detail: `the request is not HTTP/1.1: ${reason ?? "unreadable"}` };
}

const bodyOf = (problem: Problem): string => problemText(problem, TITLES, `urn:uuid:${randomUUID()}`);

function fieldsOf(body: string): string[] {
  const length = String(Buffer.byteLength(body));
  const fields = ["Content-Type", PROBLEM_CONTENT_TYPE, "Cache-Control", "no-store", "Content-Length", length];
  return [...fields, "Connection", "close"];
}

/** The answer as text, for a connection whose request has no ServerResponse. */
function answerText(problem: Problem): string {
  const body = bodyOf(problem);
  const fields = fieldsOf(body);
  let head = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`;
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return `${head}\r\n${body}`;
}

function respond(response: ServerResponse, problem: Problem): void {
  const body = bodyOf(problem);
  response.writeHead(problem.status, fieldsOf(body));
  response.end(body);
}

/** A server made with the option `requireHostHeader: false` refuses such requests here, since Node answers nothing. */
export const withHost =
  (listener: RequestListener): RequestListener =>
  (request, response) => {
    if (request.headers.host === undefined && request.httpVersion === "1.1") respond(response, NO_HOST);
    else listener(request, response);
  };

/** Answers what the parser refuses, and ends its connection at once, as Node does: the rest of it means nothing. */
export function answerUnread<S extends Server | TlsServer>(server: S, maxHeaderBytes: number): S {
  server.on("clientError", (error: ClientError, socket: Duplex) => {
    const problem = problemOf(error, maxHeaderBytes);
    if (problem !== undefined && socket.writable && !isAnswering(socket)) socket.write(answerText(problem));
    socket.destroy();
  });
  server.on("checkExpectation", (_request, response: ServerResponse) => respond(response, EXPECTATION));
  return server;
}

/**
 * Whether an answer is under way on the connection, in which a second one would be taken for a part of the first.
 * Node's own handler of `clientError` asks the same member, and no documented one tells.
 */
const isAnswering = (socket: Duplex): boolean =>
  (socket as { _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true;
