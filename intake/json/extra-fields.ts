// SPDX-License-Identifier: Apache-2.0
/**
 * The fields of an event that the contract does not name, and the bounds on keeping them. The collector of JSON events
 * and the reader of batches apply them.
 */
import { nestsDeeperThan } from "../../domain/json-depth";
import { MAX_EXTRA_DEPTH } from "../limits";

/** Returns undefined where V8's recursive JSON.stringify runs out of stack: a few thousand levels. */
export function extraJson(extra: Record<string, unknown>): string | undefined {
  try {
    return JSON.stringify(extra);
  } catch {
    return undefined;
  }
}

/** Returns why the unknown fields of an event cannot be kept, or undefined. */
export function extraProblem(extraText: string | undefined, maxEventBytes: number): string | undefined {
  if (extraText === undefined || nestsDeeperThan(extraText, MAX_EXTRA_DEPTH)) {
    return `unknown fields are nested deeper than ${MAX_EXTRA_DEPTH} levels`;
  }
  return isLarger(extraText, maxEventBytes) ? `the unknown fields are larger than ${maxEventBytes} bytes` : undefined;
}

/**
 * Finds a name (id, video or type) that leaves no room for the rest of the event. The event is too large then; the name
 * itself is not bad.
 */
export function oversizedName(names: readonly unknown[], maxEventBytes: number): string | undefined {
  const oversized = names.some((name) => typeof name === "string" && isLarger(name, maxEventBytes - 1));
  return oversized ? `the event is larger than ${maxEventBytes} bytes` : undefined;
}

/** A UTF-16 unit is at most 3 bytes of UTF-8, so the exact length is needed only near the bound. */
function isLarger(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}
