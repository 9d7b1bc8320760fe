// SPDX-License-Identifier: Apache-2.0
/** Counters as Parquet, over the store and its roll-ups, read by DuckDB. */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { VideoEvent } from "../../domain/event";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { DirectoryRollUps } from "../../io/directory/roll-up-folder";
import { exportCells } from "../../pipelines/export/export-cells";
import { pyarrowRows } from "../../servers";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { TierHarness } from "./tier-harness";

const OLD = Date.parse("2026-10-20T00:00:00Z");
const YOUNG = Date.parse("2026-11-20T00:00:00Z");

describe("export", () => {
  it("has every cell once, rolled up or not, with state and revision, and loads in DuckDB", async () => {
    const harness = await TierHarness.open();
    try {
      const events: VideoEvent[] = [];
      for (let n = 0; n < 120; n++) {
        const eventTimeMs = (n % 3 === 0 ? YOUNG : OLD) + ((n * 7) % 1440) * MINUTE_MS;
        events.push({ eventId: `x${n}`, videoId: `v${n % 5}`, eventType: "VIEW", eventTimeMs, value: n * 1e12 });
      }
      await harness.count(events);
      await harness.audit();
      await harness.tier();
      // Counted after its minute was rolled up: in the store, and the rest of its hour is not.
      await harness.archive([{ eventId: "late", videoId: "v0", eventType: "VIEW", eventTimeMs: OLD }], harness.nowMs);
      await harness.audit();

      const folder = join(harness.folder, "out");
      for (const granularity of ["minute", "hour", "day"] as const) {
        const range = { granularity, fromMs: OLD, toMs: YOUNG + DAY_MS, cellsAPart: 40 };
        const statesOf = async (edges: readonly number[]) =>
          edges.slice(1).map((endMs) => (endMs > YOUNG ? "final" : "closed"));
        const out = new DirectoryRollUps({ folder });
        const files = [];
        for await (const file of exportCells({ counters: harness.counters, out, statesOf }, range)) files.push(file);
        expect(files.length).toBeGreaterThan(1);

        const read = await (await DuckDBInstance.create()).connect();
        const glob = join(folder, `granularity=${granularity}`, "*", "*.parquet");
        const rows = await read.runAndReadAll(
          `SELECT video_id, epoch_ms(start)::DOUBLE, count::DOUBLE, sum::VARCHAR, revision::DOUBLE, state
           FROM read_parquet('${glob}') ORDER BY video_id, start`,
        );
        const expected: unknown[][] = [];
        for (let video = 0; video < 5; video++) {
          const cells = await harness.counters.read(`v${video}`, "VIEW", OLD, YOUNG + DAY_MS, granularity);
          for (const { startMs, count, sum, revision } of cells) {
            const unitMs = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS }[granularity];
            const state = startMs + unitMs > YOUNG ? "final" : "closed";
            expected.push([`v${video}`, startMs, count, String(sum), revision, state]);
          }
        }
        expect(rows.getRows()).toEqual(expected);
        read.closeSync();
      }
    } finally {
      await harness.close();
    }
  });

  it("has each cell once while a day leaves the store in the midst of it, no file of an export before, and the files of others", async () => {
    const harness = await TierHarness.open();
    try {
      const events: VideoEvent[] = Array.from({ length: 60 }, (_, n) => ({
        ...{ eventId: `x${n}`, videoId: `v${n % 5}`, eventType: "VIEW" },
        eventTimeMs: OLD + n * 20 * MINUTE_MS,
      }));
      await harness.count(events);
      await harness.audit();
      const { counters } = harness;
      let reads = 0;
      /** The cells leave after the store was read, and before its roll-ups are. */
      const leaving = async function* (...asked: [number, number]) {
        yield* counters.minuteCells(...asked);
        if (++reads === 2) await harness.tier();
      };
      const out = new DirectoryRollUps({ folder: join(harness.folder, "out") });
      const folder = "granularity=minute/date=2026-10-20";
      for (const name of ["counters-5-of-9.parquet", "counters-1-of-1.parquet.0f-1.tmp", "mine.parquet", "notes.txt"])
        await out.write(`${folder}/${name}`, Buffer.from("of before"));
      const deps = {
        counters: { ...bound(counters), minuteCells: leaving },
        ...{ out, tiers: harness.tiers, statesOf: async () => [] },
      };
      const files = [];
      for await (const file of exportCells(deps, { granularity: "minute", fromMs: OLD, toMs: OLD + DAY_MS }))
        files.push(file);
      expect(reads).toBeGreaterThan(3);
      expect(files.map(({ cells }) => cells)).toEqual([60]);
      const others = [`${folder}/mine.parquet`, `${folder}/notes.txt`];
      expect((await out.names(folder)).sort()).toEqual([...files.map(({ name }) => name), ...others]);
    } finally {
      await harness.close();
    }
  });
});

const bound = (counters: TierHarness["counters"]) => ({
  derivedCells: counters.derivedCells.bind(counters),
  rolledCells: counters.rolledCells.bind(counters),
});

describeWithServers("another reader of Parquet", ["pyarrow"], () => {
  it(
    "pyarrow reads an export and the roll-ups by their partitions",
    async () => {
      const harness = await TierHarness.open();
      try {
        const events: VideoEvent[] = Array.from({ length: 60 }, (_, n) => ({
          ...{ eventId: `x${n}`, videoId: `v${n % 5}`, eventType: "VIEW", value: n * 1e12 },
          eventTimeMs: (n % 2 === 0 ? YOUNG : OLD) + n * 20 * MINUTE_MS,
        }));
        await harness.count(events);
        await harness.audit();
        await harness.tier();
        const folder = join(harness.folder, "out");
        const deps = {
          ...{ counters: harness.counters, out: new DirectoryRollUps({ folder }), tiers: harness.tiers },
          statesOf: async (edges: readonly number[]) => edges.slice(1).map(() => "final" as const),
        };
        for await (const _ of exportCells(deps, { granularity: "minute", fromMs: OLD, toMs: YOUNG + DAY_MS }));

        const textOf = ({ videoId, eventTimeMs, value }: VideoEvent) =>
          `${new Date(eventTimeMs).toISOString().slice(0, 10)} ${videoId} 1 ${value}`;
        const read = async (place: string) =>
          (await pyarrowRows(place))
            .map(({ date, video_id, count, sum }) => `${date} ${video_id} ${count} ${sum}`)
            .sort();
        expect(await read(join(folder, "granularity=minute"))).toEqual(events.map(textOf).sort());
        const old = events.filter(({ eventTimeMs }) => eventTimeMs < YOUNG);
        expect(await read(join(harness.folder, "rollups", "minute"))).toEqual(old.map(textOf).sort());
      } finally {
        await harness.close();
      }
    },
    COLD_START_MS,
  );
});
