// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { CountsDigest } from "../../bench/data/counts-digest";
import { type DataParameters, EventSource } from "../../bench/data/event-source";
import type { BenchReport, MeasurementReport } from "../../bench/report";
import { validateColumns } from "../../domain/columns/event-columns";

const MAIN = join(__dirname, "..", "..", "bench", "main.js");
const EVENTS = 20_000;

describe("npm run bench -- --quick", () => {
  let folder: string;
  let report: BenchReport;
  let table: string;
  let markdown: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-bench-test-"));
    const json = join(folder, "report.json");
    const page = join(folder, "pages", "report.md");
    const only = ["--only", "hot-path", "direct", "duckdb"];
    const args = ["--quick", "--events", String(EVENTS), ...only, "--json", json, "--markdown", page];
    const ran = await promisify(execFile)(process.execPath, [MAIN, ...args]);
    table = ran.stdout;
    report = JSON.parse(readFileSync(json, "utf8")) as BenchReport;
    markdown = readFileSync(page, "utf8");
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const measured = (name: string): MeasurementReport => report.measurements.find((each) => each.name === name)!;
  const digests = (name: string) => Object.entries(measured(name).facts.digests as Record<string, CountsDigest>);

  test("says what machine, which parameters and which measurements a report is of", () => {
    expect(report.schema).toBe("viewmill-bench/1");
    expect(report.machine.cores).toBeGreaterThan(0);
    expect(report.machine.node).toBe(process.version);
    expect(report.parameters).toMatchObject({ quick: true, events: EVENTS, seed: 1 });
    expect(report.measurements.map(({ name }) => name)).toEqual(["hot-path", "direct", "duckdb"]);
  });

  test("gives each figure a value and a unit, and its ratio to each baseline", () => {
    for (const { error, figures } of report.measurements) {
      expect(error).toBeUndefined();
      for (const { value, unit, baselines } of figures) {
        expect(Number.isFinite(value)).toBe(true);
        expect(unit).not.toBe("");
        for (const baseline of baselines) expect(baseline.ratio).toBeCloseTo(value / baseline.value);
      }
    }
    const baselines = measured("hot-path").figures[0]!.baselines.map(({ name }) => name);
    expect(baselines).toEqual(["JavaScript Map/Set over the same batches", "JavaScript Map/Set over NDJSON"]);
  });

  test("holds the goals beside the figures they are of, and fails for none of them", () => {
    const goals = report.measurements.flatMap(({ figures }) => figures).filter(({ goal }) => goal !== undefined);
    expect(goals.map(({ name }) => name)).toEqual([
      "hot-path/events-per-cpu-s",
      "hot-path/events-per-s",
      "direct/events-per-s",
    ]);
    for (const { value, goal } of goals) expect(goal!.met).toBe(value >= goal!.value);
    expect(table).toContain("goal at least 400,000");
  });

  test("makes a page that names its command and has every figure", () => {
    expect(markdown).toContain(`npm run bench -- --quick --events ${EVENTS} --only hot-path`);
    for (const { title } of report.measurements.flatMap(({ figures }) => figures)) {
      expect(markdown).toContain(`| ${title} | `);
    }
    expect(markdown).toContain("at least 400,000");
  });

  test("counts the same cells and sums with every system", () => {
    const all = ["hot-path", "direct", "duckdb"].flatMap(digests);
    expect(all.map(([name]) => name).sort()).toEqual(
      ["viewmill", "naiveBatches", "naiveJson", "viewmill", "naiveBatches", "viewmill"]
        .concat(["duckdbJson", "duckdbParquet", "duckdbStored"])
        .sort(),
    );
    const [, first] = all[0]!;
    expect(first.count).toBeGreaterThan(EVENTS * 0.9);
    expect(first.count).toBeLessThan(EVENTS);
    expect(BigInt(first.sum)).toBeGreaterThan(0n);
    for (const [name, digest] of all) expect([name, digest]).toEqual([name, first]);
  });
});

describe("the generated events", () => {
  const parameters: DataParameters = {
    events: 5_000,
    videos: 100,
    minutes: 2,
    startMs: Date.UTC(2026, 10, 21, 10),
    repeatShare: 0.2,
    valueShare: 0.5,
    batchEvents: 333,
    seed: 7,
    spread: "zipf",
  };

  test("are the same for the same seed and others for another", () => {
    const made = (seed: number) => JSON.stringify([...new EventSource({ ...parameters, seed }).batches()]);
    expect(made(7)).toBe(made(7));
    expect(made(7)).not.toBe(made(8));
  });

  test("keep the contract and lie in their minutes", () => {
    const endMs = parameters.startMs + parameters.minutes * 60_000;
    let events = 0;
    for (const columns of new EventSource(parameters).batches()) {
      expect(validateColumns(columns, { receivedAtMs: endMs, rawRetentionMs: endMs - parameters.startMs })).toEqual([]);
      events += columns.count;
    }
    expect(events).toBe(parameters.events);
  });

  test("put nine in ten on one video where that is asked for", () => {
    let hot = 0;
    for (const { videos, videoIndex } of new EventSource({ ...parameters, spread: "hot" }).batches()) {
      for (const index of videoIndex) if (videos[index] === "video-0") hot++;
    }
    expect(hot / parameters.events).toBeGreaterThan(0.87);
    expect(hot / parameters.events).toBeLessThan(0.94);
  });
});
