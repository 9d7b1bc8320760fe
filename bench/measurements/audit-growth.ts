// SPDX-License-Identifier: Apache-2.0
/**
 * The cost of an audit of one hour when the store has a long history, and the memory of a heavy minute:
 * docs/decisions/0021-an-audit-goes-over-promises.md.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { EventColumns } from "../../domain/columns/event-columns";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { minuteOf } from "../../domain/event";
import { HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { DirectoryArchive } from "../../io/directory/archive";
import { ArchiveObjectWriter } from "../../io/formats/avro/archive-object";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import { SqliteEventLog } from "../../io/sqlite/event-log";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { runAudit } from "../../pipelines/audit/audit";
import { decodeCells } from "../../transforms/cell-columns";
import { MinuteRecount } from "../../transforms/minute-recount";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { defineTask, timed } from "../task";
import { mebibytes } from "./hot-path";

const DAY_MS = 24 * HOUR_MS;
export const START_MS = Date.UTC(2026, 10, 21, 10);
const OBJECT_EVENTS = 250_000;
const APPLIED_CELLS = 100_000;
const ID_BYTES = 16;

interface Stored {
  folder: string;
}

export function openStores(folder: string) {
  mkdirSync(folder, { recursive: true });
  const archive = new DirectoryArchive({ folder: join(folder, "archive") });
  return { archive, counters: new SqliteCounterStore({ folder }), ledger: new SqliteLedger({ folder }) };
}

const nameOf = (video: number): string => `video-${video}`;

/** Events of one minute, each with a random id (version 4) of its own. */
function someEvents(minute: number, first: number, count: number, videos: number): EventColumns {
  const ids = new Uint8Array(count * ID_BYTES);
  const words = new Uint32Array(ids.buffer);
  let random = (minute * 7_919 + first) | 1;
  for (let n = 0; n < words.length; n++) {
    random = Math.imul(random ^ (random >>> 15), 0x2c1b3c6d) + n;
    words[n] = random;
  }
  for (let row = 0; row < count; row++) {
    ids[row * ID_BYTES + 6] = 0x40 | (ids[row * ID_BYTES + 6]! & 15);
    ids[row * ID_BYTES + 8] = 0x80 | (ids[row * ID_BYTES + 8]! & 63);
    words[row * 4 + 3] = first + row;
  }
  return {
    count,
    ids,
    videos: Array.from({ length: videos }, (_, video) => nameOf(video)),
    videoIndex: Uint32Array.from({ length: count }, (_, row) => (row * 31 + first) % videos),
    types: ["VIEW"],
    typeIndex: new Uint32Array(count),
    timesMs: Float64Array.from({ length: count }, (_, row) => minute * MINUTE_MS + (row % MINUTE_MS)),
  };
}

export async function archiveMinute(
  { archive, ledger }: ReturnType<typeof openStores>,
  minute: number,
  events: number,
  videos: number,
): Promise<void> {
  for (let first = 0; first < events; first += OBJECT_EVENTS) {
    const count = Math.min(OBJECT_EVENTS, events - first);
    const fileName = `bench-${first}.avro`;
    const object = new ArchiveObjectWriter(fileName);
    const columns = someEvents(minute, first, count, videos);
    for (let row = 0; row < count; row++) object.add(columns, row, columns.timesMs[row]!);
    const { name, sizeBytes } = await archive.write(minute, fileName, object.finish());
    await ledger.addObjects([{ name, minute, events: count, sizeBytes }], [minute]);
  }
}

function asCounts(minute: number, videos: string[], counts: Float64Array): MinuteCounts {
  const rows = videos.length;
  return {
    minute,
    videos,
    types: ["VIEW"],
    videoIndex: Uint32Array.from({ length: rows }, (_, row) => row),
    typeIndex: new Uint32Array(rows),
    counts,
    valued: new Float64Array(rows),
    sumHigh: new Float64Array(rows),
    sumLow: new Float64Array(rows),
    lastMsInMinute: Uint16Array.from({ length: rows }, () => 59_999),
  };
}

/** Counts what the archive holds of the minute, and stores the cells. */
export async function storeCounted(stores: ReturnType<typeof openStores>, minute: number): Promise<void> {
  const recount = new MinuteRecount(minute);
  for (const { name } of await stores.archive.list(minute, minute + 1))
    recount.addObject(await stores.archive.read(name));
  const cells = [...recount.cells(1, () => 0).values()].flatMap((columns) => [...decodeCells(columns)]);
  const names = cells.map(({ videoId }) => videoId);
  const counts = Float64Array.from(cells, ({ count }) => count);
  await stores.counters.apply([asCounts(minute, names, counts)]);
}

const fillHour = defineTask(
  __filename,
  "fill-hour",
  async ({ folder, events, videos }: Stored & { events: number; videos: number }) => {
    const stores = openStores(folder);
    for (let minute = minuteOf(START_MS); minute < minuteOf(START_MS + HOUR_MS); minute++) {
      await archiveMinute(stores, minute, Math.ceil(events / 60), videos);
      await storeCounted(stores, minute);
    }
    await stores.counters.close();
  },
);

/** A year of days: each pair on one day, those that the audited hour touches on every day. */
const growHistory = defineTask(
  __filename,
  "grow-history",
  async ({ folder, pairs, days, videos }: Stored & { pairs: number; days: number; videos: number }) => {
    const stores = openStores(folder);
    let stored = 0;
    for (let day = 1; day <= days; day++) {
      const minute = minuteOf(START_MS - day * DAY_MS);
      const names: string[] = [];
      for (let video = 0; video < videos; video++) names.push(nameOf(video));
      for (let video = videos + day - 1; video < pairs; video += days) names.push(nameOf(video));
      for (let from = 0; from < names.length; from += APPLIED_CELLS) {
        const some = names.slice(from, from + APPLIED_CELLS);
        await stores.counters.apply([asCounts(minute, some, new Float64Array(some.length).fill(1))]);
      }
      stored += names.length;
    }
    await stores.counters.close();
    return stored;
  },
);

export const auditFolder = defineTask(
  __filename,
  "audit-folder",
  async ({ folder, hours }: Stored & { hours: number }) => {
    const stores = openStores(folder);
    const log = await SqliteEventLog.open({ folder });
    const progress = new SqliteLogProgress(log, stores.ledger, stores.ledger);
    const range = { fromMs: START_MS, toMs: START_MS + hours * HOUR_MS, repair: false, allowedLatenessMs: -1 };
    const { value, wallS, cpuS } = await timed(() => runAudit({ ...stores, progress, clock: Date.now }, range));
    const { outcome, events, distinctEvents, cellsCompared, cellsDiffering } = value;
    return { outcome, events, distinctEvents, cellsCompared, cellsDiffering, wallS, cpuS };
  },
);

const fillMinute = defineTask(__filename, "fill-minute", async ({ folder, events }: Stored & { events: number }) => {
  const stores = openStores(folder);
  await archiveMinute(stores, minuteOf(START_MS), events, 1_000);
  await stores.counters.close();
});

export const measurement: Measurement = {
  name: "audit-growth",
  title: "Audit of an hour over an empty and over a year's history, and of a heavy minute",
  onlyByName: true,
  async run(bench: Bench) {
    const size = bench.parameters.quick
      ? { pairs: 20_000, days: 10, events: 30_000, videos: 200, heavy: 200_000 }
      : { pairs: 3_000_000, days: 365, events: 1_000_000, videos: 2_000, heavy: 20_000_000 };
    const folder = bench.newFolder();
    await bench.task(fillHour, { folder, events: size.events, videos: size.videos });
    const alone = await bench.task(auditFolder, { folder, hours: 1 });
    const { result: history } = await bench.task(growHistory, { folder, ...size });
    const grown = await bench.task(auditFolder, { folder, hours: 1 });
    const heavyFolder = bench.newFolder();
    await bench.task(fillMinute, { folder: heavyFolder, events: size.heavy });
    const heavy = await bench.task(auditFolder, { folder: heavyFolder, hours: 1 });
    for (const { result } of [alone, grown])
      if (result.outcome !== "equal") throw new Error(`the audit finds differences: ${JSON.stringify(result)}`);
    if (heavy.result.distinctEvents !== size.heavy)
      throw new Error(`events were lost: ${JSON.stringify(heavy.result)}`);
    const figures = [
      figure("audit-growth/alone", "an hour over an empty history", "CPU-s", alone.result.cpuS),
      figure("audit-growth/ratio", "the same over a year of days", "times", grown.result.cpuS / alone.result.cpuS, {
        goal: below(1.5),
      }),
      figure("audit-growth/rss", "peak memory over a year of days", "MiB", mebibytes(grown.usage.peakRssBytes), {
        goal: below(572),
      }),
      figure("audit-growth/heavy-rss", "peak memory of the heavy minute", "MiB", mebibytes(heavy.usage.peakRssBytes), {
        goal: below(1_430),
      }),
      figure("audit-growth/heavy", "events of the heavy minute", "events/CPU-s", size.heavy / heavy.result.cpuS),
    ];
    const facts = { size, history, alone: alone.result, grown: grown.result, heavy: heavy.result };
    return { figures, facts };
  },
};
