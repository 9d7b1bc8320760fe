// SPDX-License-Identifier: Apache-2.0
/**
 * One HTTP exchange, whole, with a deadline over all of it. Why not the client library's requests: they have no
 * deadline over a body, they cost two to three times the processor time, and concurrent downloads print a
 * MaxListenersExceededWarning each (8.4.0).
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export interface HttpRequest {
  method: "GET" | "POST" | "DELETE";
  url: URL;
  headers: Record<string, string>;
  /** Sent one after the other. */
  body?: readonly Uint8Array[];
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** No answer, not all of it, or none in time: what was asked for may have been done or not. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
}

/** An answer that is larger is refused: objects are a few megabytes. */
const MAX_ANSWER_BYTES = 512 << 20;

export class HttpConnections {
  readonly #plain: HttpAgent;
  readonly #secure: HttpsAgent;

  constructor(maxSockets: number) {
    const options = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
    this.#plain = new HttpAgent(options);
    this.#secure = new HttpsAgent(options);
  }

  /** Resolves with any answer that came whole, whatever its status. Rejects with ExchangeError. */
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
