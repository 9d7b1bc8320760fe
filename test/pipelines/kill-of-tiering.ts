// SPDX-License-Identifier: Apache-2.0
/** kill -9 of a process that packs the archive and rolls cells up, after each of its steps, over real stores. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import type { ClusterPlace } from "../io/bigtable/cluster-ground";
import { allCells, eventOf, OLD, someEvents, YOUNG } from "./tier-events";
import type { TierHarness } from "./tier-harness";

export const PACKING = ["staged", "renamed", "deleted"];
export const ROLLING = ["frozen", "written", "listed", "expiring", "expired", "removed", "committed", "dropped"];
/** Printed with the name of each test; VIEWMILL_SEED would hide a fault that another seed has. */
export const SEED = Date.now() % 1_000_000;

export function runChild(harness: TierHarness, step: string, place?: ClusterPlace): NodeJS.Signals | null {
  const args = [join(__dirname, "tier-child.js"), harness.folder, String(harness.nowMs), step];
  if (place !== undefined) args.push(JSON.stringify(place));
  return spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] }).signal;
}

/** A child that tiers is killed after the step, and the next process goes on. `place`: of a cluster. */
export async function killAfter(step: string, harness: TierHarness, place?: ClusterPlace): Promise<void> {
  await harness.count(fc.sample(someEvents(30), { numRuns: 1, seed: SEED })[0]!);
  // Some samples have young events alone, and nothing would be rolled up.
  await harness.count([eventOf([0, 5, 0, 0, 3])]);
  expect((await harness.audit()).outcome).toBe("equal");
  const before = await allCells(harness);
  const books = await booksOf(harness);
  await harness.shut();
  expect(runChild(harness, step, place)).toBe("SIGKILL");

  await harness.reopen();
  expect(await allCells(harness)).toEqual(before);
  // What is being rolled up can neither be compared nor corrected.
  const possible = PACKING.includes(step) ? ["equal"] : ["equal", "not-comparable"];
  expect(possible).toContain((await harness.audit()).outcome);
  expect(await allCells(harness)).toEqual(before);

  await harness.pack();
  await finishTiering(harness, before, books);
}

/** Tiers to the end: no cell and no book has changed, the audit agrees, and the raw events are gone. */
export async function finishTiering(
  harness: TierHarness,
  before: Awaited<ReturnType<typeof allCells>>,
  books: Awaited<ReturnType<typeof booksOf>>,
): Promise<void> {
  const rolled = await harness.tier();
  expect(rolled.every(({ outcome }) => outcome === "rolled-up")).toBe(true);
  expect(await allCells(harness)).toEqual(before);
  expect(await booksOf(harness)).toEqual(books);
  expect((await harness.audit()).outcome).toBe("equal");
  expect(await harness.stores.archive.minutes(0, (OLD + 3 * DAY_MS) / MINUTE_MS)).toEqual([]);
}

/** Every book of the harness. */
export const booksOf = ({ stores: { ledger } }: TierHarness) => ledger.books(0, (YOUNG + DAY_MS) / MINUTE_MS);
