// SPDX-License-Identifier: Apache-2.0
/**
 * What the answers of a run say about scopes: by the service's own metrics, which count every answer by its route.
 * main.ts of this folder reports them.
 */

interface Operation {
  security: Record<string, readonly string[]>[];
}
export interface OpenApiPaths {
  paths: Record<string, Record<string, Operation>>;
}

export interface Answered {
  route: string;
  method: string;
  status: number;
  times: number;
}

/** Every answered request by route, method and status, from the text of /metrics. The write API is one route. */
export function answeredIn(metrics: string): Answered[] {
  const written = metrics.matchAll(/^viewmill_ingest_requests_total\{status="(\d+)",format="[^"]*"\} (\d+)$/gm);
  const found = metrics.matchAll(
    /^viewmill_http_request_seconds_count\{route="([^"]*)",method="(\w+)",status="(\d+)"\} (\d+)$/gm,
  );
  return [
    ...[...found].map(([, route = "", method = "", status, times]) => {
      return { route, method, status: Number(status), times: Number(times) };
    }),
    ...[...written].map(([, status, times]) => {
      return { route: "/v1/events", method: "POST", status: Number(status), times: Number(times) };
    }),
  ];
}

/** Answers that a key with these scopes must not get: anything but a refusal where its scopes do not suffice. */
export function scopeEscapes(
  answers: readonly Answered[],
  { paths }: OpenApiPaths,
  scopes: readonly string[],
): Answered[] {
  return answers.filter(({ route, method, status }) => {
    const wanted = paths[route]?.[method.toLowerCase()]?.security.flatMap(({ key }) => key ?? []) ?? [];
    const isBeyond = wanted.length > 0 && !wanted.some((scope) => scopes.includes(scope));
    return isBeyond && ![401, 403, 429].includes(status);
  });
}

/** Answers that say that the service failed. A 503 of /readyz says how a dependency is. */
export const failures = (answers: readonly Answered[]): Answered[] =>
  answers.filter(({ route, status }) => status >= 500 && !(route === "/readyz" && status === 503));
