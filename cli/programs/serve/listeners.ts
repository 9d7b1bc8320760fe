// SPDX-License-Identifier: Apache-2.0
/** The servers of `serve`: for clients, and for operators where the configuration separates the two. */
import type { IncomingMessage, RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import type { Settings } from "../../config/schema";
import { httpListener, httpsListener } from "../http-listener";
import { readCertificate, watchCertificate } from "./certificate";

/** The service cannot listen; one clear line. */
class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Resolves with the URL at which the server is reached. */
export function listen(server: Server, host: string, portNumber: number, scheme = "http"): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "the port is in use" : error.message;
      reject(new ListenError(`cannot listen on ${host}:${portNumber}: ${why}`));
    });
    server.listen(portNumber, host, () => {
      const { port: actual } = server.address() as AddressInfo;
      resolve(`${scheme}://${host.includes(":") ? `[${host}]` : host}:${actual}`);
    });
  });
}

interface ServiceListener {
  server: Server;
  scheme: "http" | "https";
  /** Ends what was started beside the server. */
  stop(): void;
}

/**
 * Plain, or with TLS where there is a certificate, which is read again when its files change. Throws CertificateError.
 */
export function serviceListener(
  config: Settings<"http">,
  listener: RequestListener,
  logger: Logger,
  lookEveryMs?: number,
): ServiceListener {
  const { certificateFile, keyFile } = config.http.tls;
  if (certificateFile === "") return { server: httpListener(config, listener), scheme: "http", stop: () => undefined };
  const files = { certificateFile, keyFile };
  const server = httpsListener(config, readCertificate(files), listener);
  const stop = watchCertificate(files, logger, (certificate) => server.setSecureContext(certificate), lookEveryMs);
  return { server, scheme: "https", stop };
}

interface OperationsListener {
  url: string;
  server: Server;
}

/** Opens the separate listener for /metrics and the operating endpoints. */
export async function listenForOperations(
  config: Settings<"http">,
  listener: RequestListener,
): Promise<OperationsListener | undefined> {
  const { enabled, host, port } = config.http.operations;
  if (!enabled) return undefined;
  const server = httpListener(config, listener);
  return { url: await listen(server, host, port), server };
}

/** Tells the requests of the operations listener from those of the public one. */
export class OperationsSide {
  readonly #isApart: boolean;
  readonly #requests = new WeakSet<IncomingMessage>();

  constructor({ http }: Settings<"http">) {
    this.#isApart = http.operations.enabled;
  }

  listener(answer: RequestListener): RequestListener {
    return (request, response) => {
      this.#requests.add(request);
      answer(request, response);
    };
  }

  /** Returns whether the public side must not answer this path. */
  isElsewhere(request: IncomingMessage): boolean {
    return this.#isApart && !this.#requests.has(request);
  }

  /** Whether the request came by the operations listener, which its own network protects. */
  isWithin(request: IncomingMessage): boolean {
    return this.#requests.has(request);
  }
}
