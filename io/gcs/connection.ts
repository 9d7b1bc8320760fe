// SPDX-License-Identifier: Apache-2.0
/**
 * One whole HTTP exchange under one deadline. The client library's requests have no deadline over a body, cost two to
 * five times the processor time, and print a MaxListenersExceededWarning for each concurrent download (8.4.0):
 * docs/decisions/0041-gcs-requests.md. All requests of this folder go through it (objects.ts).
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export interface HttpRequest {
  method: "GET" | "POST" | "DELETE";
  url: URL;
  headers: Record<string, string>;
  /** The parts of the body, sent one after the other. */
  body?: readonly Uint8Array[];
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * Thrown for an exchange without an answer, with a part of one, or with a late one. The outcome of the request is
 * unknown.
 */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
}

/** The largest accepted answer: objects are a few megabytes. */
const MAX_ANSWER_BYTES = 512 << 20;

export class HttpConnections {
  readonly #plain: HttpAgent;
  readonly #secure: HttpsAgent;

  constructor(maxSockets: number) {
    const options = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
    this.#plain = new HttpAgent(options);
    this.#secure = new HttpsAgent(options);
  }

  /** Resolves with any complete answer, whatever its status. Rejects with ExchangeError. */
  exchange(request: HttpRequest): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const sent = this.#open(request);
      const fail = (error: Error) => {
        clearTimeout(timer);
        sent.destroy();
        reject(new ExchangeError(error.message, { cause: error }));
      };
      const late = () => fail(new Error(`no whole answer within ${request.timeoutMs} ms`));
      const timer = setTimeout(late, request.timeoutMs);
      sent.on("error", fail);
      sent.on("response", (answer) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        answer.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          sizeBytes += chunk.length;
          if (sizeBytes > MAX_ANSWER_BYTES) fail(new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`));
        });
        answer.on("error", fail);
        answer.on("end", () => {
          clearTimeout(timer);
          const [only] = chunks;
          const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, sizeBytes);
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
        });
      });
      for (const part of request.body ?? []) sent.write(part);
      sent.end();
    });
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #open({ method, url, headers, body }: HttpRequest): ClientRequest {
    const length = (body ?? []).reduce((sum, part) => sum + part.byteLength, 0);
    const options = {
      method,
      headers: body === undefined ? headers : { ...headers, "content-length": String(length) },
    };
    return url.protocol === "https:"
      ? httpsRequest(url, { ...options, agent: this.#secure })
      : httpRequest(url, { ...options, agent: this.#plain });
  }
}
