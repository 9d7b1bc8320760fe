// SPDX-License-Identifier: Apache-2.0
/**
 * Answers requests: the few most frequent routes without a framework, all others by Express. `Service` puts it behind
 * its listener.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Admission } from "../../../admission/admission";
import { INGEST_PATH, type IngestApi } from "../../../ingest-api/ingest-router";
import { PIXEL_PATH } from "../../../ingest-api/pixel";
import type { HotReads } from "../../../query-api";

/** Express's middleware, limited to the parts that Node alone has. */
type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

interface Front {
  /** The routes check admission themselves; the front uses it for the CORS fields alone. */
  admission: Pick<Admission, "crossOrigin">;
  ingest: Pick<IngestApi, "handle" | "pixel">;
  reads: HotReads;
  /** The header fields of every read, each name followed by its value. */
  secured: readonly string[];
  /** The same routes and all others. */
  app: RequestListener;
}

/**
 * Both roads end in the same handlers, which admit, answer and measure, so a request cannot tell which road it took.
 */
export function frontListener({ admission, ingest, reads, secured, app }: Front): RequestListener {
  const answerOf = (request: IncomingMessage) => {
    if (request.method === "POST" && request.url === INGEST_PATH)
      return (to: ServerResponse) => void ingest.handle(request, to);
    if (request.method === "GET" && request.url?.startsWith(PIXEL_START) === true)
      return (to: ServerResponse) => void ingest.pixel(request, to);
    return reads(request);
  };
  return (request, response) => {
    const answer = answerOf(request);
    if (answer === undefined) app(request, response);
    else if (!admission.crossOrigin(request, response)) answer(response, secured);
  };
}

/** A pixel's address as pages write it: an event is in its query. */
const PIXEL_START = `${PIXEL_PATH}?`;

/**
 * The header fields of a middleware that sets the same ones at every call, each name followed by its value.
 * `middleware`: sets headers and calls `next`.
 */
export function constantFields(middleware: Middleware): readonly string[] {
  const fields = new Map<string, string>();
  const recorder = {
    setHeader: (name: string, value: string) => fields.set(name, value),
    removeHeader: () => undefined,
  };
  middleware({ headers: {} } as IncomingMessage, recorder as unknown as ServerResponse, () => undefined);
  return [...fields].flat();
}
