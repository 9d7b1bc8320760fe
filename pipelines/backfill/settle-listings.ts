// SPDX-License-Identifier: Apache-2.0
import { isBackfilled } from "../../domain/archive-name";
import { isExpired } from "../../domain/rules/ledger-books";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { readArchiveObject } from "../../io/formats/avro/archive-object";
import type { Archive, ArchivedObject, Ledger } from "../../io/ports";

/**
 * Makes ledger and archive agree on the backfilled objects of the hours of `minutes`, after an earlier run was stopped
 * between the two. An object that was listed and never written is listed without events. An object that was written and
 * not listed (by earlier versions) is listed with its events. An object that expired stays. A backfill calls it before
 * it counts.
 */
export async function settleListings(
  deps: { archive: Archive; ledger: Ledger },
  minutes: ReadonlySet<number>,
): Promise<void> {
  const hours = new Set([...minutes].map((minute) => Math.floor(minute / MINUTES_AN_HOUR)));
  for (const hour of hours) await settleHour(deps, hour);
}

async function settleHour({ archive, ledger }: { archive: Archive; ledger: Ledger }, hour: number): Promise<void> {
  const range = [hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR] as const;
  const stored = new Map((await archive.list(...range)).map((object) => [object.name, object]));
  const listed = new Map((await ledger.archivedObjects(...range)).map((object) => [object.name, object]));
  const settled: ArchivedObject[] = [];
  for (const object of listed.values()) {
    const { name, minute, events } = object;
    if (!isBackfilled(name) || events === 0 || stored.has(name) || isExpired(object)) continue;
    settled.push({ name, minute, events: 0, sizeBytes: 0 });
  }
  for (const { name, minute, sizeBytes } of stored.values()) {
    if (!isBackfilled(name) || (listed.get(name)?.events ?? 0) > 0) continue;
    let events = 0;
    for (const { columns } of readArchiveObject(await archive.read(name), minute)) events += columns.count;
    settled.push({ name, minute, events, sizeBytes });
  }
  if (settled.length > 0) await ledger.addObjects(settled, [...new Set(settled.map(({ minute }) => minute))]);
}
