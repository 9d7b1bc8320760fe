// SPDX-License-Identifier: Apache-2.0
import { DataflowError } from "./dataflow-error";
import type { JsonValue } from "./google-rest";

/** Words in the names of secrets. The word `key` alone has many meanings, so it is left out. */
const SECRET_NAME = /secret|password|passwd|passphrase|token|credential|private_?key|api_?key/i;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const MAX_DEPTH = 20;

/**
 * Throws a DataflowError "refused" for options that hold a secret: everybody who may see a job sees its options. Texts
 * that are JSON are searched, too. job.ts asks it for every job.
 */
export function refuseSecrets(options: JsonValue, path = "pipeline options"): void {
  const found = secretIn(options, path, MAX_DEPTH);
  if (found === undefined) return;
  throw new DataflowError(`${found} looks like a secret, and everybody who sees the job would see it`, "refused");
}

function secretIn(value: JsonValue | undefined, path: string, depth: number): string | undefined {
  if (depth === 0) return `${path}, nested too deeply,`;
  if (typeof value === "string") {
    if (PRIVATE_KEY.test(value)) return path;
    return /^\s*[{[]/.test(value) ? secretIn(parsed(value), path, depth - 1) : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, inner] of Object.entries(value) as [string, JsonValue][]) {
    const itsPath = `${path}.${name}`;
    if (SECRET_NAME.test(name) && typeof inner === "string" && inner !== "") return itsPath;
    const found = secretIn(inner, itsPath, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}
