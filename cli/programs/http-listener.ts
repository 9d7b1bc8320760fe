// SPDX-License-Identifier: Apache-2.0
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Config } from "../config/schema";

/** How often Node looks for requests that take too long. */
const LOOK_EVERY_MS = 5_000;
/** Of all headers of a request; beyond it 431. */
const MAX_HEADER_BYTES = 16 << 10;
const TLS_HANDSHAKE_MS = 20_000;

/**
 * Every listener of a process that may be behind a load balancer. A connection that a balancer keeps must not be closed
 * at this end first: the request that it sends at that moment would be answered 502. Node's own 5 s are below every
 * balancer's time. headersTimeout stays at requestTimeout's time: it does not run while a connection is idle, and a
 * larger one would take the place of requestTimeout.
 */
export function httpListener(config: Pick<Config, "http">, listener: RequestListener): Server {
  return bounded(createServer(optionsOf(config), listener), config);
}

/** The same with TLS. */
export function httpsListener(
  config: Pick<Config, "http">,
  certificate: { cert: Buffer; key: Buffer },
  listener: RequestListener,
): TlsServer {
  const options = { ...optionsOf(config), ...certificate, handshakeTimeout: TLS_HANDSHAKE_MS, minVersion: "TLSv1.2" };
  return bounded(createTlsServer(options as Parameters<typeof createTlsServer>[0], listener), config);
}

function optionsOf({ http }: Pick<Config, "http">): ServerOptions {
  return {
    keepAliveTimeout: http.keepAliveSeconds * 1_000,
    requestTimeout: http.requestSeconds * 1_000,
    connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, http.requestSeconds * 1_000),
    maxHeaderSize: MAX_HEADER_BYTES,
  };
}

/** A connection beyond the bound is closed at once: it would take memory and a descriptor from those that work. */
function bounded<S extends Server | TlsServer>(server: S, { http }: Pick<Config, "http">): S {
  server.maxConnections = http.maxConnections;
  return server;
}
