import { createServer, type RequestListener, type Server } from "node:http";
import type { Config } from "../config/schema";

/** A request must have arrived whole by then: a slow sender holds a place of those in flight. */
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * Every listener of a process that may be behind a load balancer. A connection that a balancer keeps must not be closed at this end first: the request that
 * it sends at that moment would be answered 502. Node's own 5 s are below every balancer's time. headersTimeout stays at requestTimeout's 60 s: it does not
 * run while a connection is idle, and a larger one would take the place of requestTimeout.
 */
export const httpListener = ({ http }: Pick<Config, "http">, listener: RequestListener): Server =>
  createServer({ keepAliveTimeout: http.keepAliveSeconds * 1_000, requestTimeout: REQUEST_TIMEOUT_MS }, listener);
