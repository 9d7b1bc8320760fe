// SPDX-License-Identifier: Apache-2.0
import { plainJson, refused } from "./answer";
import type { QueryDependencies, Readiness } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { nothingAsked, readySchema } from "./schemas";

const DEADLINE_MS = 2_000;

/**
 * GET /readyz: every dependency and its state; 503 when one is away. Load balancers ask it whether to send requests
 * here, and the dashboard shows it.
 */
export function getReady(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/readyz",
    query: nothingAsked,
    operation: {
      operationId: "getReady",
      tag: "operation",
      scope: "none",
      summary: "Readiness, per dependency",
      description:
        "503 (a problem with the same `dependencies`) when a required one is not ok. Others are told and take no service out of rotation: what is accepted waits for them.",
      answer: readySchema,
      problems: [503],
    },
    async handle() {
      const found = await readinessOf(dependencies);
      const missing = found.filter(({ ok, required }) => !ok && required);
      if (missing.length === 0) return plainJson({ ready: true, dependencies: found });
      return refused({
        kind: "not-ready",
        status: 503,
        detail: `not ready: ${missing.map(({ name }) => name).join(", ")}`,
        members: { ready: false, dependencies: found },
        headers: { "Retry-After": "2" },
      });
    },
  });
}

/** Never rejects: a dependency whose check fails or hangs is not ok. */
async function readinessOf({ readiness, logger }: QueryDependencies): Promise<Required<Readiness>[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Required<Readiness>[]>((resolve) => {
    timer = setTimeout(() => resolve([notOk(`no answer within ${DEADLINE_MS} ms`)]), DEADLINE_MS);
  });
  try {
    const found = readiness().then((all) => all.map((one) => ({ ...one, required: one.required ?? true })));
    return await Promise.race([found, late]);
  } catch (error) {
    logger.error({ err: error }, "the readiness check failed");
    return [notOk("the check failed; see the server's log")];
  } finally {
    clearTimeout(timer);
  }
}

const notOk = (detail: string): Required<Readiness> => ({ name: "readiness", ok: false, detail, required: true });
