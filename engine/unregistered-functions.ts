// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import type { Pipeline } from "apache-beam/proto/beam_runner_api";
import { sdk } from "./fixes/sdk";

interface SerializedGraph {
  readonly data: readonly SerializedValue[];
}

interface SerializedValue {
  readonly kind: string;
  readonly source?: string;
  readonly closure?: number;
  readonly value?: unknown;
}

/**
 * Finds functions of the graph that travel as source text although they are not the SDK's. Such a function lacks its
 * outer variables at run time, on the direct runner too ("domain_1 is not defined", at the first element). The
 * serialised payloads show it: the function has no `__closure`, which the SDK's own build adds. Returns one message for
 * each, with its stage. A graph is checked with it before it runs anywhere.
 */
export function unregisteredFunctions(proto: Pipeline): string[] {
  const found: string[] = [];
  for (const transform of Object.values(proto.components?.transforms ?? {})) {
    // Payloads of another language's transforms are not checked.
    const environment = proto.components?.environments[transform.environmentId];
    if (environment !== undefined && environment.urn !== sdk.environments.TYPESCRIPT_DEFAULT_ENVIRONMENT_URN) continue;
    const graph = serializedGraph(transform.spec?.urn, transform.spec?.payload);
    for (const value of graph?.data ?? []) {
      if (value.kind !== "function" || value.source === undefined) continue;
      const hasClosure = graph?.data[value.closure ?? -1]?.kind === "object";
      if (!hasClosure && !sdkSource().includes(value.source)) {
        found.push(`stage "${transform.uniqueName}": ${value.source.slice(0, 80)}`);
      }
    }
  }
  return found;
}

function serializedGraph(urn: string | undefined, payload: Uint8Array = new Uint8Array()): SerializedGraph | undefined {
  const { ParDoPayload, CombinePayload } = sdk.runnerApi;
  let spec: { payload: Uint8Array } | undefined;
  if (urn === "beam:transform:pardo:v1") spec = ParDoPayload.fromBinary(payload).doFn;
  if (urn?.startsWith("beam:transform:combine")) spec = CombinePayload.fromBinary(payload).combineFn;
  if (spec === undefined || spec.payload.length === 0) return undefined;
  return JSON.parse(new TextDecoder().decode(spec.payload)) as SerializedGraph;
}

let cachedSource: string | undefined;

/**
 * Returns the text of the SDK's transforms. A function without a closure that occurs in this text (`(kvs) =>
 * kvs.value`) uses no outer variable.
 */
function sdkSource(): string {
  if (cachedSource !== undefined) return cachedSource;
  const folder = path.dirname(require.resolve("apache-beam"));
  const transforms = readdirSync(path.join(folder, "transforms")).filter((file) => file.endsWith(".js"));
  const files = ["pvalue.js", ...transforms.map((file) => path.join("transforms", file))];
  cachedSource = files.map((file) => readFileSync(path.join(folder, file), "utf8")).join("\n");
  return cachedSource;
}
