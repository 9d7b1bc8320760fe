// SPDX-License-Identifier: Apache-2.0
/**
 * The listeners of HTTP and HTTPS, with the timeouts that a load balancer needs. `serve` and the processes that serve
 * only metrics listen through it.
 */
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { DirectRequest } from "../../ingest-api/direct-request";
import type { Settings } from "../config/schema";
import { answerUnread, withHost } from "./unread-requests";

/** How often Node checks for requests that take too long. */
const LOOK_EVERY_MS = 5_000;
/** The bytes of all headers of a request; a request beyond them gets 431. */
const MAX_HEADER_BYTES = 16 << 10;
const TLS_HANDSHAKE_MS = 20_000;

/**
 * Creates the listeners of a process that may be behind a load balancer. This side must not close a connection that a
 * balancer keeps before the balancer does: a request sent at that moment would be answered 502. Node's own 5 s are
 * below every balancer's time. headersTimeout stays at requestTimeout's time: it does not run while a connection is
 * idle, and a larger one would replace requestTimeout.
 */
export function httpListener(config: Settings<"http">, listener: RequestListener): Server {
  return bounded(createServer(optionsOf(config), withHost(listener)), config);
}

/** Creates the same listener with TLS. */
export function httpsListener(
  config: Settings<"http">,
  certificate: { cert: Buffer; key: Buffer },
  listener: RequestListener,
): TlsServer {
  const options = { ...optionsOf(config), ...certificate, handshakeTimeout: TLS_HANDSHAKE_MS, minVersion: "TLSv1.2" };
  return bounded(createTlsServer(options as Parameters<typeof createTlsServer>[0], withHost(listener)), config);
}

function optionsOf({ http }: Settings<"http">): ServerOptions {
  return {
    keepAliveTimeout: http.keepAliveSeconds * 1_000,
    requestTimeout: http.requestSeconds * 1_000,
    connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, http.requestSeconds * 1_000),
    maxHeaderSize: MAX_HEADER_BYTES,
    // withHost asks for it, with a problem for an answer.
    requireHostHeader: false,
    // A read has no body: Node ends its stream at once, and saves its events.
    optimizeEmptyRequests: true,
    IncomingMessage: DirectRequest,
  };
}

/** Closes a connection beyond the bound at once: it would take memory and a descriptor from working ones. */
function bounded<S extends Server | TlsServer>(server: S, { http }: Settings<"http">): S {
  server.maxConnections = http.maxConnections;
  return answerUnread(server, MAX_HEADER_BYTES);
}
