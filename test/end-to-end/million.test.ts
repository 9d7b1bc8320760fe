/**
 * A stream of a million events of a public data set over HTTP: every counter at every level is what DuckDB computes from the same lines,
 * the books balance, and the audit finds exactly what is damaged by hand and corrects it.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { columnar, DAY_MS, type Event, gzipLines, HOUR_MS, MINUTE_MS } from "./events";
import { type ExpectedCell, Flights } from "./flights";
import { type AuditReport, cleanUp, Service, temporaryFolder, viewmill } from "./service";

const EVENTS = 1_000_000;
/** Of the lines, those that go through `viewmill send`. */
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

it("the audit finds every counter equal, and the reused ids", async () => {
  const since = performance.now();
  const { code, report } = await audit();
  took("audited", since);
  expect({ code, outcome: report.outcome, differences: report.differences }).toEqual({
    code: 0,
    outcome: "equal",
    differences: [],
  });
  expect(report.events).toBe(await flights.lineCount());
  expect(report.distinctEvents).toBe((await flights.books()).reduce((sum, { counted }) => sum + counted, 0));
  expect(report.reusedEventIds).toBe(await flights.reusedIds());
}, 60_000);

describe("what is damaged by hand is found by the audit, that and nothing else, and corrected with all that depends on it", () => {
  /** Some busy airport in the middle of the range. */
  const videoId = "DFW";
  const eventType = "VIEW";
  const minuteMs = () => fromMs + 70 * MINUTE_MS;
  const startOf = (lengthMs: number) => Math.floor(minuteMs() / lengthMs) * lengthMs;
  const ROW =
    "video = (SELECT id FROM videos WHERE name = 'DFW') AND type = (SELECT id FROM types WHERE name = 'VIEW')";
  const hasMinute = () => `${ROW} AND minute = ${startOf(MINUTE_MS) / MINUTE_MS}`;
  const hasHour = () => `${ROW} AND hour = ${startOf(HOUR_MS) / HOUR_MS}`;
  const hasDay = () => `${ROW} AND day = ${startOf(DAY_MS) / DAY_MS}`;
  const phantom = (timeMs: number) => {
    const minute = Math.floor(timeMs / MINUTE_MS);
    return `INSERT INTO minute_cells (hour, video, type, minute, count, sum_high, sum_low, last_ms, correction)
      SELECT ${Math.floor(minute / 60)}, v.id, t.id, ${minute}, 5, 0, 55, 10, 0 FROM videos v, types t
      WHERE v.name = 'DFW' AND t.name = 'VIEW'`;
  };
  const longAgo = () => startOf(HOUR_MS) - 40 * HOUR_MS;

  const cases: {
    damage: string;
    sql: () => string;
    level: "minute" | "hour" | "day" | "total";
    start: () => number;
    /** What the archive says and what is stored then, from what was counted. */
    counts: (counted: number) => [archive: number, stored: number];
    /** Audit everything there is, not only the minute. */
    whole?: boolean;
  }[] = [
    {
      damage: "a minute's count",
      sql: () => `UPDATE minute_cells SET count = count + 3 WHERE ${hasMinute()}`,
      level: "minute",
      start: () => startOf(MINUTE_MS),
      counts: (counted) => [counted, counted + 3],
      whole: true,
    },
    {
      damage: "a minute's sum",
      sql: () => `UPDATE minute_cells SET sum_low = sum_low - 1 WHERE ${hasMinute()}`,
      level: "minute",
      start: () => startOf(MINUTE_MS),
      counts: (counted) => [counted, counted],
    },
    {
      damage: "a deleted minute",
      sql: () => `DELETE FROM minute_cells WHERE ${hasMinute()}`,
      level: "minute",
      start: () => startOf(MINUTE_MS),
      counts: (counted) => [counted, 0],
    },
    {
      damage: "a minute that nobody sent",
      sql: () => phantom(longAgo()),
      level: "minute",
      start: longAgo,
      counts: () => [0, 5],
    },
    {
      damage: "an hour's count",
      sql: () => `UPDATE hour_cells SET count = count - 1 WHERE ${hasHour()}`,
      level: "hour",
      start: () => startOf(HOUR_MS),
      counts: (counted) => [counted, counted - 1],
    },
    {
      damage: "a deleted hour",
      sql: () => `DELETE FROM hour_cells WHERE ${hasHour()}`,
      level: "hour",
      start: () => startOf(HOUR_MS),
      counts: (counted) => [counted, 0],
    },
    {
      damage: "a day's count",
      sql: () => `UPDATE day_cells SET count = count + 1000 WHERE ${hasDay()}`,
      level: "day",
      start: () => startOf(DAY_MS),
      counts: (counted) => [counted, counted + 1000],
    },
    {
      damage: "a total",
      sql: () => `UPDATE total_cells SET count = 7, sum_high = 0, sum_low = 1 WHERE ${ROW}`,
      level: "total",
      start: () => 0,
      counts: (counted) => [counted, 7],
    },
  ];

  for (const { damage, sql, level, start, counts, whole = false } of cases) {
    it(damage, async () => {
      const since = performance.now();
      const counted = await countedAt(level, start());
      const db = new DatabaseSync(join(service.folder, "counters.sqlite"));
      try {
        expect(db.prepare(sql()).run().changes).toBe(1);
      } finally {
        db.close();
      }
      const around = level === "minute" ? start() : minuteMs();
      const range = whole ? [] : ["--from", iso(around), "--to", iso(around + MINUTE_MS)];
      const found = await audit(...range);
      const [archiveCount, storedCount] = counts(counted);
      expect(found).toMatchObject({ code: 3, report: { outcome: "differences", cellsDiffering: 1, cellsRepaired: 0 } });
      expect(found.report.differences).toHaveLength(1);
      expect(found.report.differences[0]).toMatchObject({
        ...{ level, videoId, eventType, start: iso(start()), archiveCount, storedCount },
      });

      const repaired = await audit("--repair", ...range);
      expect(repaired).toMatchObject({ code: 0, report: { outcome: "repaired", cellsDiffering: 1, cellsRepaired: 1 } });
      await expectEveryCounter([videoId, "ORD"]);
      expect(await audit(...range)).toMatchObject({ code: 0, report: { outcome: "equal", cellsDiffering: 0 } });
      took(damage, since);
    }, 60_000);
  }

  async function countedAt(level: "minute" | "hour" | "day" | "total", startMs: number): Promise<number> {
    if (level === "total") return (await flights.totals()).get(`${videoId} ${eventType}`)?.count ?? 0;
    const cells = await flights.cells(LENGTHS[level]);
    return (
      cells.find((cell) => cell.videoId === videoId && cell.eventType === eventType && cell.startMs === startMs)
        ?.count ?? 0
    );
  }

  it("and every report is kept, newest first", async () => {
    const { audits } = await service.get<{ audits: { id: string }[] }>("/v1/audits?limit=100");
    expect(audits.map(({ id }) => id)).toEqual(reports);
    expect((await audit()).code).toBe(0);
    await expectEveryCounter();
  }, 60_000);
});
