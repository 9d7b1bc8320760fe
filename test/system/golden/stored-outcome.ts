// SPDX-License-Identifier: Apache-2.0
import type { Deployment } from "../../../cli/deployment/deployment";
import { minuteOf } from "../../../domain/event";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import type { Archive } from "../../../io/ports";
import { letters, type Outcome, storedCells } from "./outcome";
import type { LedgerRow } from "./script";

export const ALL_MINUTES = [0, minuteOf(Date.UTC(9999, 0))] as const;

/** Returns the outcome of a run on a shared log from the stores of its deployment. */
export async function storedOutcome(deployment: Deployment): Promise<Outcome> {
  const [cells, ledger] = [await storedCells(deployment.counters), await storedLedger(deployment)];
  return { ...cells, ledger, deadLetters: await letters(deployment.deadLetters) };
}

/** The books of a deployment; archived is what its archive really holds, not what is listed of it. */
async function storedLedger({ archive, ledger }: Deployment): Promise<Map<number, LedgerRow>> {
  const archived = await archivedEvents(archive);
  return new Map(
    (await ledger.books(...ALL_MINUTES)).map(({ minute, accepted, counted, duplicate, late, reusedIds }) => [
      minute,
      { accepted, archived: archived.get(minute) ?? 0, counted, duplicate, late, reused: reusedIds },
    ]),
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
