// SPDX-License-Identifier: Apache-2.0
import { HOUR_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Archive, Ledger } from "../../io/ports";

interface PackDependencies {
  archive: Pick<Archive, "minutes" | "packing">;
  ledger: Pick<Ledger, "auditedCounts">;
  clock: () => number;
}

export interface Packed {
  hours: number;
  objects: number;
}

/**
 * Puts the objects of each audited hour into one file. An hour for which more has come since waits for its next audit.
 * May be stopped at any moment; what it left is done by the next run. `viewmill tier` runs it after the roll-ups.
 */
export async function packAudited({ archive, ledger, clock }: PackDependencies): Promise<Packed> {
  const packed: Packed = { hours: 0, objects: 0 };
  for (const hour of (await archive.packing?.looseHours(Math.floor(clock() / HOUR_MS))) ?? []) {
    const [from, to] = [hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR];
    const audited = await ledger.auditedCounts(from, to, 1);
    if ((await archive.minutes(from, to)).some((minute) => !audited.has(minute))) continue;
    const objects = await archive.packing!.pack(hour);
    packed.objects += objects;
    if (objects > 0) packed.hours++;
  }
  await archive.packing?.clearStaged(clock() - STAGED_MS);
  return packed;
}

/** Nobody writes one object for a day. */
const STAGED_MS = 24 * HOUR_MS;
