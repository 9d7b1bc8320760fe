// SPDX-License-Identifier: Apache-2.0
/**
 * Moves expiring cells from the store to roll-ups, a range at a time: a day of minutes with the raw events of the day,
 * a month of hours. Each step may be repeated, and the next process continues where another was stopped:
 * docs/decisions/0030-roll-ups.md. `viewmill tier` runs it, and the schedule of the service runs `viewmill tier`.
 */
import { DAY_MS, HOUR_MS, HOURS_A_DAY, MINUTE_MS, MINUTES_A_DAY } from "../../domain/rules/time";
import type { Archive, ArchiveObject, CellTiers, CounterStore, Ledger, RollUpFolder } from "../../io/ports";
import { type CellRange, folderOf, writeRollUps } from "./write-roll-ups";

export interface TierDependencies {
  counters: Pick<CounterStore, "minuteCells" | "derivedCells" | "storedHours">;
  tiers: CellTiers;
  folder: RollUpFolder;
  archive: Pick<Archive, "list" | "minutes" | "remove">;
  ledger: Pick<Ledger, "auditedCounts" | "expireObjects">;
  clock: () => number;
  /** Called after each step; tests stop a process there. */
  onStep?: (step: string) => void | Promise<void>;
}

interface TierRetention {
  /** Minutes and raw events of days that ended longer ago than this are rolled up, and deleted. */
  minutesMs: number;
  /** Hours of months that ended longer ago than this are rolled up. */
  hoursMs: number;
  cellsAPart?: number;
}

export interface Rolled extends CellRange {
  outcome: "rolled-up" | "not-audited" | "too-young";
  cells: number;
  files: number;
  objects: number;
}

/** Ends every roll-up that was begun, then rolls up all ranges that are due. Resolves with one result per range. */
export async function rollUpAll(deps: TierDependencies, retention: TierRetention): Promise<Rolled[]> {
  const done: Rolled[] = [];
  const { rolling } = await deps.tiers.tiers();
  if (rolling !== undefined) done.push(await rollUpRange(deps, rolling, retention));
  for (const range of await dueDays(deps, retention)) done.push(await rollUpRange(deps, range, retention));
  for (const range of await dueMonths(deps, retention)) done.push(await rollUpRange(deps, range, retention));
  return done;
}

async function rollUpRange(deps: TierDependencies, range: CellRange, retention: TierRetention): Promise<Rolled> {
  const { tiers, folder, clock, onStep = () => undefined } = deps;
  const { level, fromMs, toMs } = range;
  const rolled: Rolled = { level, fromMs, toMs, outcome: "rolled-up", cells: 0, files: 0, objects: 0 };
  const journal = `journal/${folderOf(range).replace("/", "-")}.json`;
  const before = (await tiers.tiers()).rolling;
  if (before === undefined || before.phase === "frozen") {
    await tiers.freeze({ level, fromMs, toMs });
    await onStep("frozen");
    // The objects are listed before the marks are read: an object archived later is not audited yet, and stays.
    const objects = level === "minute" ? await deps.archive.list(fromMs / MINUTE_MS, toMs / MINUTE_MS) : [];
    const obstacle = await obstacleOf(deps, range, objects, clock() - retention.minutesMs);
    if (obstacle !== undefined) {
      await tiers.thaw();
      return { ...rolled, outcome: obstacle };
    }
    const generation = 1 + (await generations(deps, range));
    const files = await writeRollUps(deps, { level, fromMs, toMs }, { ...retention, generation });
    await onStep("written");
    await folder.write(journal, Buffer.from(JSON.stringify(objects.map(({ name, minute }) => ({ name, minute })))));
    await onStep("listed");
    await tiers.expire(files);
    await onStep("expiring");
  }
  if ((await tiers.tiers()).rolling?.phase === "expiring") {
    rolled.objects = await removeRaw(deps, journal, onStep);
    await tiers.commit();
    await onStep("committed");
  }
  await tiers.drop();
  await folder.remove(journal);
  await onStep("dropped");
  for (const file of (await tiers.tiers()).rollUps) {
    if (file.level !== level || file.fromMs !== fromMs) continue;
    rolled.files++;
    rolled.cells += file.cells;
  }
  return rolled;
}

async function removeRaw(
  { folder, archive, ledger }: TierDependencies,
  journal: string,
  onStep: (step: string) => void | Promise<void>,
): Promise<number> {
  const bytes = await folder.open(journal);
  if (bytes === undefined) throw new Error(`${journal} is missing: which raw events are rolled up is not known`);
  const objects = JSON.parse(Buffer.from(await bytes.slice(0)).toString()) as { name: string; minute: number }[];
  // The ledger first: the audit would miss an object that is gone and still listed with its size.
  await ledger.expireObjects(objects);
  await onStep("expired");
  await archive.remove(objects.map(({ name }) => name));
  await onStep("removed");
  return objects.length;
}

/**
 * Returns why a day of minutes stays: an event of the day is not audited since it arrived, or arrived so late that a
 * repeat of it may still arrive. Hours stay while they have a minute, which may have been counted before the range was
 * frozen.
 */
async function obstacleOf(
  deps: TierDependencies,
  { level, fromMs, toMs }: CellRange,
  objects: readonly ArchiveObject[],
  writtenBeforeMs: number,
): Promise<"not-audited" | "too-young" | undefined> {
  if (level === "hour") return (await hasMinutes(deps, fromMs, toMs)) ? "too-young" : undefined;
  const { ledger, counters } = deps;
  const [from, to] = [fromMs / MINUTE_MS, toMs / MINUTE_MS];
  if (objects.some(({ writtenAtMs }) => writtenAtMs === undefined || writtenAtMs > writtenBeforeMs)) return "too-young";
  const audited = await ledger.auditedCounts(from, to, 1);
  if (objects.some(({ minute }) => !audited.has(minute))) return "not-audited";
  for await (const { minute } of counters.minuteCells(from, to)) if (!audited.has(minute)) return "not-audited";
  return undefined;
}

/** Returns how many times a range has been rolled up. Later events get files of their own. */
async function generations({ tiers }: TierDependencies, { level, fromMs }: CellRange): Promise<number> {
  const own = (await tiers.tiers()).rollUps.filter((one) => one.level === level && one.fromMs === fromMs);
  return new Set(own.map(({ name }) => name.split(".").at(-2))).size;
}

/** Returns the days past the retention that have minute cells or raw events, oldest first. */
async function dueDays(deps: TierDependencies, { minutesMs }: TierRetention): Promise<CellRange[]> {
  const toDay = Math.floor((deps.clock() - minutesMs) / DAY_MS);
  const days = new Set<number>();
  for await (const hour of deps.counters.storedHours(0, toDay * HOURS_A_DAY)) days.add(Math.floor(hour / HOURS_A_DAY));
  for (const minute of await deps.archive.minutes(0, toDay * MINUTES_A_DAY))
    days.add(Math.floor(minute / MINUTES_A_DAY));
  const sorted = [...days].sort((a, b) => a - b);
  return sorted.map((day) => ({ level: "minute", fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS }));
}

/** Returns the months past the retention that have hour cells and whose minutes are rolled up. */
async function dueMonths(deps: TierDependencies, { hoursMs }: TierRetention): Promise<CellRange[]> {
  const due: CellRange[] = [];
  const beforeMs = deps.clock() - hoursMs;
  for (let fromMs = 0; ; ) {
    let firstMs: number | undefined;
    for await (const { startMs } of deps.counters.derivedCells("hour", fromMs, beforeMs)) {
      firstMs = startMs;
      break;
    }
    if (firstMs === undefined) return due;
    const first = new Date(firstMs);
    const monthMs = Date.UTC(first.getUTCFullYear(), first.getUTCMonth());
    const nextMs = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1);
    if (nextMs > beforeMs) return due;
    if (!(await hasMinutes(deps, monthMs, nextMs))) due.push({ level: "hour", fromMs: monthMs, toMs: nextMs });
    fromMs = nextMs;
  }
}

async function hasMinutes({ counters }: TierDependencies, fromMs: number, toMs: number): Promise<boolean> {
  for await (const _ of counters.storedHours(fromMs / HOUR_MS, toMs / HOUR_MS)) return true;
  return false;
}
