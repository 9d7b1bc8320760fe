// SPDX-License-Identifier: Apache-2.0
/**
 * Months of a constant load on one machine, with a clock of its own: each simulated day events are accepted, archived,
 * counted and audited, letters are refused, and what `viewmill tier` does is done. By hand, for docs/bench/disk-use.md:
 * `node dist/test/pipelines/disk-simulation.js DAYS`.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { VideoEvent } from "../../domain/event";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { expireAccepted } from "../../io/sqlite/log-expiry";
import { expireOld } from "../../pipelines/tier/expire-books";
import { letter } from "../io/ports/dead-letters-contract";
import { TierHarness } from "./tier-harness";

/** Short, so that a simulated month passes each of them. */
const RETENTION = { minutesMs: 4 * DAY_MS, hoursMs: 31 * DAY_MS };
const AGES = { ledgerMs: 40 * DAY_MS, auditsMs: 20 * DAY_MS, deadLettersMs: 10 * DAY_MS };
const START = Date.parse("2026-01-01T00:00:00Z");
const HOURS = [3, 12, 20];
const VIDEOS = 40;

export interface DiskUse {
  day: number;
  /** Files of the archive, and their bytes. */
  archiveFiles: number;
  archiveBytes: number;
  countersBytes: number;
  logBytes: number;
  deadLettersBytes: number;
  /** Grows by what leaves the store, which is kept for ever. */
  rollUpBytes: number;
}

interface Load {
  /** Busy minutes of each of three hours a day. */
  minutesAnHour: number;
  /** How often what is old is moved and deleted. */
  everyDays: number;
}

/** Disk use at the end of each of these days. */
export async function simulateDisk(
  days: readonly number[],
  { minutesAnHour, everyDays }: Load = { minutesAnHour: 6, everyDays: 1 },
): Promise<DiskUse[]> {
  const harness = await TierHarness.open();
  const found: DiskUse[] = [];
  try {
    for (let day = 0; day <= Math.max(...days); day++) {
      const dayMs = START + day * DAY_MS;
      harness.nowMs = dayMs + DAY_MS + 2 * HOUR_MS;
      await liveADay(harness, dayMs, minutesAnHour);
      if (day % everyDays === 0 || days.includes(day)) await tierAt(harness);
      if (days.includes(day)) found.push(diskUse(harness.folder, day));
    }
    return found;
  } finally {
    await harness.close();
  }
}

async function liveADay(harness: TierHarness, dayMs: number, minutesAnHour: number): Promise<void> {
  const { log, ledger, deadLetters } = harness.stores;
  const events: VideoEvent[] = [];
  for (const hour of HOURS) {
    for (let minute = 0; minute < minutesAnHour; minute++) {
      const eventTimeMs = dayMs + hour * HOUR_MS + minute * 10 * MINUTE_MS;
      for (let n = 0; n < VIDEOS; n++)
        events.push({ eventId: `${eventTimeMs}-${n}`, videoId: `video-${n}`, eventType: "VIEW", eventTimeMs });
    }
  }
  const acceptedByMinute = new Map<number, number>();
  for (const { eventTimeMs } of events) {
    const minute = eventTimeMs / MINUTE_MS;
    acceptedByMinute.set(minute, (acceptedByMinute.get(minute) ?? 0) + 1);
  }
  const { position } = await log.append({ payload: Buffer.alloc(50_000), events: events.length, acceptedByMinute });
  await log.trim(position);
  // Two objects a minute, as passes leave them.
  await harness.archive(events.filter((_, n) => n % 2 === 0));
  await harness.archive(events.filter((_, n) => n % 2 === 1));
  await harness.countOnly(events);
  await deadLetters.append(Array.from({ length: 5 }, () => letter("x".repeat(500), { receivedAtMs: dayMs })));
  const range = { fromMinute: dayMs / MINUTE_MS, toMinute: (dayMs + DAY_MS) / MINUTE_MS };
  const sequences = await ledger.changeSequences(range.fromMinute, range.toMinute);
  await ledger.markAudited({ ...range, sequences, except: [] });
}

async function tierAt(harness: TierHarness): Promise<void> {
  const { ledger, deadLetters } = harness.embedded;
  await harness.tier(undefined, 1_000_000, RETENTION);
  await harness.pack();
  const forget = (beforeMinute: number) => expireAccepted(harness.folder, beforeMinute);
  const deps = { books: ledger, expireAccepted: forget, deadLetters, clock: () => harness.nowMs };
  await expireOld(deps, AGES);
}

function diskUse(folder: string, day: number): DiskUse {
  const archive = filesOf(join(folder, "archive"));
  return {
    day,
    archiveFiles: archive.length,
    archiveBytes: archive.reduce((sum, bytes) => sum + bytes, 0),
    countersBytes: databaseBytes(join(folder, "counters.sqlite")),
    logBytes: databaseBytes(join(folder, "log.sqlite")),
    deadLettersBytes: databaseBytes(join(folder, "dead-letters.sqlite")),
    rollUpBytes: filesOf(join(folder, "rollups")).reduce((sum, bytes) => sum + bytes, 0),
  };
}

function filesOf(folder: string): number[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
}

function databaseBytes(file: string): number {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  return statSync(file).size;
}

async function main(days: number): Promise<void> {
  const asked = Array.from({ length: Math.floor(days / 30) }, (_, n) => (n + 1) * 30);
  const rows = await simulateDisk(asked);
  const columns = Object.keys(rows[0] ?? {}) as (keyof DiskUse)[];
  const lines = [columns, columns.map(() => "---"), ...rows.map((row) => columns.map((column) => String(row[column])))];
  process.stdout.write(`${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`);
}

if (require.main === module) void main(Number(process.argv[2] ?? 360));
