// SPDX-License-Identifier: Apache-2.0
import { isLate, setsAside } from "../../domain/rules/lateness";
import { contentOf } from "../../intake/content";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { takeBody } from "../../intake/take-body";

/**
 * Returns whether an event of a replayed letter was received too late for the stream, so that the next audit with
 * --repair counts it. A letter that cannot be read here, and was accepted all the same, counts as late.
 *
 * `viewmill dead-letters replay` tells the user with it.
 */
export function waitsForAudit(
  { bytes, contentType }: { bytes: Uint8Array; contentType: string },
  { receivedAtMs, allowedLatenessMs }: { receivedAtMs: number; allowedLatenessMs: number },
): boolean {
  if (!setsAside(allowedLatenessMs)) return false;
  const found = contentOf({ "content-type": contentType });
  if ("unsupported" in found) return true;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const untimed = { kind: "receipt" } as const;
  const rules = { receivedAtMs, rawRetentionMs: Number.POSITIVE_INFINITY, limits: CONTRACT_LIMITS, untimed };
  const taken = takeBody(body, found.content, rules);
  if (taken.kind !== "events") return true;
  return taken.columns.timesMs.some((timeMs) => isLate(timeMs, receivedAtMs, allowedLatenessMs));
}
