// SPDX-License-Identifier: Apache-2.0
import type { Deployment } from "../../../cli/deployment/deployment";
import { minuteOf } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import type { Archive, RollUp } from "../../../io/ports";
import { letters, type Outcome, storedCells } from "./outcome";
import type { LedgerRow } from "./script";
import { withRolledCells } from "./tiering";

export const ALL_MINUTES = [0, minuteOf(Date.UTC(9999, 0))] as const;

/** Returns the outcome of a run on a shared log from the stores of its deployment. */
export async function storedOutcome(deployment: Deployment): Promise<Outcome> {
  const { counters, deadLetters, tiering } = deployment;
  const { minutes, ...cells } = await storedCells(counters);
  const { rollUps } = await tiering.tiers.tiers();
  return {
    ...cells,
    minutes: rollUps.length === 0 ? minutes : await withRolledCells(minutes, counters),
    ledger: await storedLedger(deployment, rollUps),
    deadLetters: await letters(deadLetters),
  };
}

/**
 * The books of a deployment. Archived is what its archive really holds, not what is listed of it, except in the days
 * whose raw events are deleted.
 */
async function storedLedger(
  { archive, ledger }: Deployment,
  rollUps: readonly RollUp[],
): Promise<Map<number, LedgerRow>> {
  const held = await archivedEvents(archive);
  const isRolled = (timeMs: number) => rollUps.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs < toMs);
  return new Map(
    (await ledger.books(...ALL_MINUTES)).map((books) => {
      const { minute, accepted, counted, duplicate, late, reusedIds: reused } = books;
      const archived = isRolled(minute * MINUTE_MS) ? books.archived : (held.get(minute) ?? 0);
      return [minute, { accepted, archived, counted, duplicate, late, reused }];
    }),
  );
}

async function archivedEvents(archive: Archive): Promise<Map<number, number>> {
  const events = new Map<number, number>();
  for (const { name, minute } of await archive.list(...ALL_MINUTES)) {
    for (const { columns } of readArchiveObject(await archive.read(name), minute))
      events.set(minute, (events.get(minute) ?? 0) + columns.count);
  }
  return events;
}
