// SPDX-License-Identifier: Apache-2.0
/**
 * A stream of a million events of a public data set over HTTP: every counter at every level is what DuckDB computes
 * from the same lines, the books balance, and the audit finds exactly what is damaged by hand and corrects it.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { addPhantom, type RewrittenCell, rewriteCells } from "../../io/ports/rewrite-cells";
import { columnar, DAY_MS, type Event, gzipLines, HOUR_MS, MINUTE_MS } from "./events";
import { type ExpectedCell, Flights } from "./flights";
import { type AuditReport, cleanUp, Service, temporaryFolder, viewmill } from "./service";

const EVENTS = 1_000_000;
/** The number of lines that `viewmill send` sends. */
const SENT_BY_COMMAND = 0.2;
const BATCH_LINES = 500;
const SENDERS = 4;
const TYPES = ["VIEW", "LIKE", "SHARE", "COMMENT"];
const LENGTHS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const;
type Granularity = keyof typeof LENGTHS;

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const took = (what: string, since: number) =>
  process.stdout.write(`${what}: ${((performance.now() - since) / 1000).toFixed(1)} s\n`);

let service: Service;
let flights: Flights;
let fromMs = 0;
let toMs = 0;
const reports: string[] = [];

beforeAll(async () => {
  const folder = temporaryFolder();
  const file = join(folder, "all.ndjson");
  let since = performance.now();
  toMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  fromMs = toMs - 2 * HOUR_MS - 2 * MINUTE_MS;
  flights = await Flights.write(file, EVENTS, toMs);
  took(`${await flights.lineCount()} lines made`, since);
  service = await Service.start();
  since = performance.now();
  await sendAll(file, join(folder, "command.ndjson"), await flights.lineCount());
  took("sent", since);
  await service.counted();
  took("sent and counted", since);
}, 240_000);

afterAll(async () => {
  flights?.close();
  await cleanUp();
});

/** The first part through the command, the rest as columnar batches and gzip NDJSON in turn. */
async function sendAll(file: string, commandFile: string, lines: number): Promise<void> {
  const input = createInterface({ input: createReadStream(file) })[Symbol.asyncIterator]();
  const forCommand = createWriteStream(commandFile);
  for (let n = 0; n < lines * SENT_BY_COMMAND; n++) forCommand.write(`${(await input.next()).value}\n`);
  await new Promise((resolve) => forCommand.end(resolve));
  const rejects = join(service.folder, "rejects.ndjson");
  const sent = await viewmill(["send", commandFile, "--url", service.url, "--rejects", rejects]);
  expect({ code: sent.code, stderr: sent.stderr }).toMatchObject({ code: 0 });
  let batches = 0;
  const sender = async () => {
    for (;;) {
      const batch: string[] = [];
      while (batch.length < BATCH_LINES) {
        const { value, done } = await input.next();
        if (done) break;
        batch.push(value);
      }
      if (batch.length === 0) return;
      const body = batches++ % 2 === 0 ? columnar(batch.map(parsed)) : gzipLines(batch);
      expect(await service.deliver(body)).toEqual({ accepted: batch.length, rejected: [] });
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

function parsed(line: string): Event {
  const { eventTime, ...rest } = JSON.parse(line) as Event & { eventTime: number | string };
  return { ...rest, eventTime: typeof eventTime === "number" ? eventTime : Date.parse(eventTime) };
}

/** JSON with every number as its text: sums are beyond 2^53. */
function exactJson<T>(text: string): T {
  const reviver = (_key: string, value: unknown, context?: { source: string }) =>
    typeof value === "number" && context !== undefined ? context.source : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as T;
}

interface QueryAnswer {
  buckets: { start: string }[];
  series: { videoId: string; eventType: string; buckets: { COUNT: string; SUM: string }[] }[];
}

/** Every counted cell of these videos, read as users do. */
async function readCells(videoIds: readonly string[], granularity: Granularity): Promise<ExpectedCell[]> {
  const buckets = Math.ceil((toMs - fromMs) / LENGTHS[granularity]) + 2;
  const videosAtOnce = Math.min(100, Math.floor(10_000 / buckets / TYPES.length));
  const found: ExpectedCell[] = [];
  for (let first = 0; first < videoIds.length; first += videosAtOnce) {
    const asked = {
      videoIds: videoIds.slice(first, first + videosAtOnce),
      eventTypes: TYPES,
      start: iso(fromMs),
      end: iso(toMs),
      granularity,
      functions: ["COUNT", "SUM"],
    };
    const response = await fetch(`${service.url}/v1/query`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
    });
    expect(response.status).toBe(200);
    const answer = exactJson<QueryAnswer>(await response.text());
    for (const series of answer.series) {
      for (const [index, { COUNT, SUM }] of series.buckets.entries()) {
        if (COUNT === "0") continue;
        const { videoId, eventType } = series;
        const startMs = Date.parse(answer.buckets[index]!.start);
        found.push({ videoId, eventType, startMs, count: Number(COUNT), sum: SUM });
      }
    }
  }
  return found;
}

/** Cells of one side only, or that differ, as lines. */
function unlike(expected: readonly ExpectedCell[], found: readonly ExpectedCell[]): string[] {
  const shown = ({ videoId, eventType, startMs, count, sum }: ExpectedCell) =>
    `${videoId} ${eventType} ${iso(startMs)}: ${count} ${sum}`;
  const wanted = new Set(expected.map(shown));
  const extra = found.map(shown).filter((line) => !wanted.delete(line));
  return [...[...wanted].map((line) => `missing ${line}`), ...extra.map((line) => `wrong ${line}`)].slice(0, 20);
}

async function expectEveryCounter(videoIds?: string[]): Promise<void> {
  const totals = await flights.totals();
  const videos = videoIds ?? [...new Set([...totals.keys()].map((key) => key.split(" ")[0]!))];
  for (const [granularity, lengthMs] of Object.entries(LENGTHS) as [Granularity, number][]) {
    const expected = (await flights.cells(lengthMs)).filter(({ videoId }) => videos.includes(videoId));
    expect(expected.length).toBeGreaterThan(0);
    expect(unlike(expected, await readCells(videos, granularity))).toEqual([]);
  }
  for (const videoId of videos) {
    const response = await fetch(`${service.url}/v1/videos/${encodeURIComponent(videoId)}`);
    const answer = exactJson<{ totals: Record<string, { count: string; sum: string; lastEventAt: string }> }>(
      await response.text(),
    );
    const expected = TYPES.flatMap((type) => {
      const total = totals.get(`${videoId} ${type}`);
      if (total === undefined) return [];
      return [[type, { count: String(total.count), sum: total.sum, lastEventAt: iso(total.lastEventAtMs) }]];
    });
    expect([videoId, answer.totals]).toEqual([videoId, Object.fromEntries(expected)]);
  }
}

async function audit(...flags: string[]): Promise<{ code: number | null; report: AuditReport }> {
  const audited = await service.audit(...flags);
  reports.unshift(audited.report.id);
  return audited;
}

it("counts every video and type as DuckDB does, in every minute, hour, day and in total", async () => {
  const sums = [...(await flights.totals()).values()].map(({ sum }) => BigInt(sum));
  expect(sums.some((sum) => sum > Number.MAX_SAFE_INTEGER)).toBe(true);
  const since = performance.now();
  await expectEveryCounter();
  took("compared", since);
}, 60_000);

it("knows no other video, and ranks them as DuckDB does", async () => {
  const totals = [...(await flights.totals())].map(([key, { count }]) => ({ key, count }));
  for (const type of TYPES) {
    const expected = totals
      .filter(({ key }) => key.endsWith(` ${type}`))
      .map(({ key, count }) => ({ videoId: key.split(" ")[0]!, count }))
      .sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1));
    const { videos } = await service.get<{ videos: unknown[] }>(
      `/v1/top?eventType=${type}&start=${iso(fromMs)}&end=${iso(toMs)}&limit=1000`,
    );
    expect(videos).toEqual(expected);
  }
});

it("balances the books in every minute", async () => {
  const { minutes, totals } = await service.ledger(fromMs, toMs);
  const expected = (await flights.books()).map(({ startMs, accepted, counted }) => ({
    start: iso(startMs),
    accepted,
    archived: accepted,
    counted,
    duplicate: accepted - counted,
    late: 0,
    balanced: true,
  }));
  expect(minutes).toEqual(expected);
  expect(totals).toMatchObject({ balanced: true, rejected: 0, accepted: await flights.lineCount() });
});

describe("what is damaged by hand, one of every kind, each at a video of its own,", () => {
  const eventType = "VIEW";
  type Level = "minute" | "hour" | "day" | "total";
  /** `counted` is what the archive says, the answer is what is stored after the damage. */
  interface Damage {
    videoId: string;
    level: Level;
    startMs: number;
    /** Answers how many cells it has damaged. */
    damage: (folder: string) => number;
    stored: (counted: { count: number; sum: bigint }) => { count: number; sum: bigint };
  }

  /** Some minute in the middle of the range, in which the busy airports have events. */
  const minuteMs = () => fromMs + 70 * MINUTE_MS;
  const startOf = (lengthMs: number) => Math.floor(minuteMs() / lengthMs) * lengthMs;
  /** Others, of other hours: an audit of a minute compares its whole hour with the minutes that are stored. */
  const hourBeforeMs = () => minuteMs() - HOUR_MS;
  const longAgoMs = () => startOf(HOUR_MS) - 40 * HOUR_MS;
  const at = (videoId: string, startMs: number, change: (cell: RewrittenCell) => "delete" | undefined) => {
    return (cell: RewrittenCell) =>
      cell.videoId === videoId && cell.eventType === eventType && cell.startMs === startMs ? change(cell) : undefined;
  };
  const more = (count: number) => (cell: RewrittenCell) => {
    cell.count += count;
    return undefined;
  };
  const summed = (sum: bigint) => (cell: RewrittenCell) => {
    cell.sum += sum;
    return undefined;
  };
  const nothing = () => ({ count: 0, sum: 0n });

  const damages = (): Record<string, Damage> => ({
    "a minute's count": {
      ...{ videoId: "DFW", level: "minute", startMs: minuteMs() },
      damage: (folder) => rewriteCells(folder, "minute", at("DFW", minuteMs(), more(3))),
      stored: ({ count, sum }) => ({ count: count + 3, sum }),
    },
    "a minute's sum": {
      ...{ videoId: "ORD", level: "minute", startMs: minuteMs() },
      damage: (folder) => rewriteCells(folder, "minute", at("ORD", minuteMs(), summed(-1n))),
      stored: ({ count, sum }) => ({ count, sum: sum - 1n }),
    },
    "a deleted minute": {
      ...{ videoId: "ATL", level: "minute", startMs: hourBeforeMs() },
      damage: (folder) =>
        rewriteCells(
          folder,
          "minute",
          at("ATL", hourBeforeMs(), () => "delete"),
        ),
      stored: nothing,
    },
    "a minute that nobody sent": {
      ...{ videoId: "LAX", level: "minute", startMs: longAgoMs() },
      damage: (folder) => addPhantom(folder, longAgoMs() / MINUTE_MS, { videoId: "LAX", eventType }, 5, 55),
      stored: () => ({ count: 5, sum: 55n }),
    },
    "an hour's count": {
      ...{ videoId: "PHX", level: "hour", startMs: startOf(HOUR_MS) },
      damage: (folder) => rewriteCells(folder, "hour", at("PHX", startOf(HOUR_MS), more(-1))),
      stored: ({ count, sum }) => ({ count: count - 1, sum }),
    },
    "a deleted hour": {
      ...{ videoId: "STL", level: "hour", startMs: startOf(HOUR_MS) },
      damage: (folder) =>
        rewriteCells(
          folder,
          "hour",
          at("STL", startOf(HOUR_MS), () => "delete"),
        ),
      stored: nothing,
    },
    "a day's count": {
      ...{ videoId: "DTW", level: "day", startMs: startOf(DAY_MS) },
      damage: (folder) => rewriteCells(folder, "day", at("DTW", startOf(DAY_MS), more(1000))),
      stored: ({ count, sum }) => ({ count: count + 1000, sum }),
    },
    "a total": {
      ...{ videoId: "MSP", level: "total", startMs: 0 },
      damage: (folder) =>
        rewriteCells(
          folder,
          "total",
          at("MSP", 0, (cell) => void Object.assign(cell, { count: 7, valued: 7, sum: 1n })),
        ),
      stored: () => ({ count: 7, sum: 1n }),
    },
  });

  const isSeenFromTheMinute = ({ level, startMs }: Damage) => level !== "minute" || startMs === minuteMs();

  async function counted({ videoId, level, startMs }: Damage): Promise<{ count: number; sum: bigint }> {
    const cell =
      level === "total"
        ? (await flights.totals()).get(`${videoId} ${eventType}`)
        : (await flights.cells(LENGTHS[level])).find(
            (cell) => cell.videoId === videoId && cell.eventType === eventType && cell.startMs === startMs,
          );
    return { count: cell?.count ?? 0, sum: BigInt(cell?.sum ?? 0) };
  }

  /** The complete report of an audit. */
  async function difference(damage: Damage): Promise<AuditReport["differences"][number]> {
    const archive = await counted(damage);
    const stored = damage.stored(archive);
    return {
      ...{ level: damage.level, videoId: damage.videoId, eventType, start: iso(damage.startMs) },
      ...{ archiveCount: archive.count, storedCount: stored.count },
      ...{ archiveSum: String(archive.sum), storedSum: String(stored.sum) },
    };
  }

  /** All that an audit found, and nothing that it did not: expected in any order. */
  async function expectFound(report: AuditReport, found: readonly Damage[], repaired: boolean): Promise<void> {
    const byVideo = (a: { videoId: string }, b: { videoId: string }) => (a.videoId < b.videoId ? -1 : 1);
    const differences = report.differences.map(({ archiveValued: _, storedValued: __, ...rest }) => rest);
    expect(differences.sort(byVideo)).toEqual((await Promise.all(found.map(difference))).sort(byVideo));
    expect(report).toMatchObject({
      outcome: repaired ? "repaired" : "differences",
      cellsDiffering: found.length,
      cellsRepaired: repaired ? found.length : 0,
    });
  }

  beforeAll(() => {
    for (const [name, { damage }] of Object.entries(damages()))
      expect([name, damage(service.folder)]).toEqual([name, 1]);
  });

  it("is found by the audit, that and nothing else; and the reused ids", async () => {
    const since = performance.now();
    const { code, report } = await audit();
    took("audited", since);
    expect(code).toBe(3);
    await expectFound(report, Object.values(damages()), false);
    expect(report.events).toBe(await flights.lineCount());
    expect(report.distinctEvents).toBe((await flights.books()).reduce((sum, { counted }) => sum + counted, 0));
    expect(report.reusedEventIds).toBe(await flights.reusedIds());
  }, 60_000);

  it("is corrected in a minute where asked for, with all above it, and not in other minutes", async () => {
    const { code, report } = await audit("--repair", "--from", iso(minuteMs()), "--to", iso(minuteMs() + MINUTE_MS));
    expect(code).toBe(0);
    await expectFound(report, Object.values(damages()).filter(isSeenFromTheMinute), true);
  }, 60_000);

  it("is corrected everywhere else with all that depends on it", async () => {
    const { code, report } = await audit("--repair");
    expect(code).toBe(0);
    const left = Object.values(damages()).filter((damage) => !isSeenFromTheMinute(damage));
    await expectFound(report, left, true);
    expect(left).toHaveLength(2);
    await expectEveryCounter();
  }, 60_000);

  it("is found no more, and every report is kept, newest first", async () => {
    const { code, report } = await audit();
    expect({ code, outcome: report.outcome, differences: report.differences }).toEqual({
      code: 0,
      outcome: "equal",
      differences: [],
    });
    const { audits } = await service.get<{ audits: { id: string }[] }>("/v1/audits?limit=100");
    expect(audits.map(({ id }) => id)).toEqual(reports);
  }, 60_000);
});
