import { nestsDeeperThan } from "../../domain/json-depth";
import { MAX_EXTRA_DEPTH } from "../limits";

/** Undefined where V8's recursive JSON.stringify runs out of stack: a few thousand levels. */
export function extraJson(extra: Record<string, unknown>): string | undefined {
  try {
    return JSON.stringify(extra);
  } catch {
    return undefined;
  }
}

/** Why the unknown fields of an event cannot be kept, or undefined. */
export function extraProblem(extraText: string | undefined, maxEventBytes: number): string | undefined {
  if (extraText === undefined || nestsDeeperThan(extraText, MAX_EXTRA_DEPTH)) {
    return `unknown fields are nested deeper than ${MAX_EXTRA_DEPTH} levels`;
  }
  // A UTF-16 unit is at most 3 bytes of UTF-8: the exact length is needed only near the bound.
  if (extraText.length * 3 > maxEventBytes && Buffer.byteLength(extraText) > maxEventBytes) {
    return `the event is larger than ${maxEventBytes} bytes`;
  }
  return undefined;
}
