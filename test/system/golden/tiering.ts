// SPDX-License-Identifier: Apache-2.0
/** What a script does beside the stream, over the stores of any runner: tiering, and backfills of files. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS, MINUTE_MS } from "../../../domain/rules/time";
import type { CounterStore } from "../../../io/ports";
import { type BackfillDependencies, backfill } from "../../../pipelines/backfill/backfill";
import type { BoundedOptions } from "../../../pipelines/bounded/bounded-stream";
import { rollUpAll, type TierDependencies } from "../../../pipelines/tier/roll-up";
import type { AsideStep, GoldenCells } from "./script";

const ALL_MINUTES = [0, 2 ** 40] as const;
/** Longer than the days of any script, so that its hours stay. */
const HOURS_KEPT_MS = 400 * DAY_MS;

/**
 * Rolls up the days before that of the last receipt, every one of which must leave. Resolves with the number of ranges.
 * Objects count as written in their own minutes, because the stores date them by the real clock.
 */
export async function tierDays(
  { archive, ...stores }: Omit<TierDependencies, "clock">,
  nowMs: number,
): Promise<number> {
  const old: TierDependencies["archive"] = {
    list: async (from, to) =>
      (await archive.list(from, to)).map((object) => ({ ...object, writtenAtMs: object.minute * MINUTE_MS })),
    minutes: (from, to) => archive.minutes(from, to),
    remove: (names) => archive.remove(names),
  };
  const retention = { minutesMs: nowMs % DAY_MS, hoursMs: HOURS_KEPT_MS };
  const rolled = await rollUpAll({ ...stores, archive: old, clock: () => nowMs }, retention);
  expect(rolled.filter(({ outcome }) => outcome !== "rolled-up")).toEqual([]);
  return rolled.length;
}

/** Backfills the events as a file of its own in the folder. */
export async function backfillEvents(
  { events }: Extract<AsideStep, { kind: "backfill" }>,
  folder: string,
  deps: BackfillDependencies,
  {
    spread,
    allowedLatenessMs,
  }: { spread: { dedupePartitions: number; videoShards: number }; allowedLatenessMs: number },
): Promise<void> {
  const path = join(folder, `late-${events.map(({ raw }) => raw.eventId).join("-")}.ndjson`);
  writeFileSync(path, events.map(({ raw }) => JSON.stringify(raw)).join("\n"));
  const { dedupePartitions, videoShards } = spread;
  const followCorrections = allowedLatenessMs < 0;
  const counting: BoundedOptions["counting"] = { dedupePartitions, videoShards, allowedLatenessMs, followCorrections };
  const { accepted, report } = await backfill([path], deps, {
    allowedLatenessMs,
    counting,
    onArchived: () => undefined,
    onCounted: () => undefined,
  });
  expect(accepted).toBe(events.length);
  expect(["equal", "repaired"]).toContain(report?.outcome);
}

/** Returns the cells of the store with those of its roll-ups. Roll-ups have no times of last events. */
export async function withRolledCells(stored: GoldenCells, counters: CounterStore): Promise<GoldenCells> {
  const minutes: GoldenCells = new Map([...stored].map(([name, cell]) => [name, { ...cell, lastMs: Number.NaN }]));
  for await (const cell of counters.rolledCells!("minute", 0, ALL_MINUTES[1] * MINUTE_MS)) {
    const name = `${cell.startMs} ${cell.videoId} ${cell.eventType}`;
    const known = minutes.get(name) ?? { count: 0, sum: 0n, valued: 0 };
    const sums = { count: known.count + cell.count, sum: known.sum + cell.sum, valued: known.valued + cell.valued };
    minutes.set(name, { ...sums, lastMs: Number.NaN });
  }
  return minutes;
}
