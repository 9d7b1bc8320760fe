// SPDX-License-Identifier: Apache-2.0
import { crc32 } from "node:zlib";
import { parseArchiveObjectName } from "../../../domain/archive-name";
import type { RejectionReason } from "../../../domain/rejection";
import { ClaimMissingError, type ClaimStore } from "../../ports";
import { AvroError } from "../avro/binary";
import { decodeReference, isReference, type Reference } from "../avro/reference";

type Resolved =
  | { kind: "payload"; payload: Uint8Array }
  /**
   * The reference or its claim is damaged or gone for good, and becomes a dead letter. `minute` is the minute of
   * receipt, where the name contains it.
   */
  | { kind: "unresolved"; reason: RejectionReason; detail: string; minute: number | undefined };

/**
 * Resolves with the batch message behind a reference; a payload without a reference is returned unchanged. Rejects with
 * `StoreUnavailableError` when the claim cannot be read now, which says nothing about the batch. The stream
 * (transforms/resolve-references.ts) and the archiver resolve each message of the log with it.
 */
export async function resolveReference(payload: Uint8Array, claims: ClaimStore): Promise<Resolved> {
  if (!isReference(payload)) return { kind: "payload", payload };
  let reference: Reference;
  try {
    reference = decodeReference(payload);
  } catch (error) {
    if (!(error instanceof AvroError)) throw error;
    return unresolved(`a damaged reference: ${error.message}`);
  }
  const minute = parseArchiveObjectName(reference.name)?.minute;
  if (minute === undefined)
    return unresolved(`a damaged reference: "${reference.name.slice(0, 120)}" is no claim's name`);
  try {
    const claim = await claims.read(reference.name);
    const damage = damageOf(claim, reference);
    return damage === undefined ? { kind: "payload", payload: claim } : unresolved(damage, minute);
  } catch (error) {
    if (!(error instanceof ClaimMissingError)) throw error;
    return unresolved(`the claim ${reference.name} of ${reference.events} events is missing`, minute);
  }
}

function damageOf(claim: Uint8Array, { name, sizeBytes, crc32: expected }: Reference): string | undefined {
  if (claim.byteLength !== sizeBytes) return `the claim ${name} has ${claim.byteLength} bytes, not ${sizeBytes}`;
  const actual = crc32(claim);
  return actual === expected ? undefined : `the claim ${name} has the checksum ${actual}, not ${expected}`;
}

const unresolved = (detail: string, minute?: number): Resolved => ({
  kind: "unresolved",
  reason: "not-avro",
  detail,
  minute,
});
