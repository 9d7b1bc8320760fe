// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { StoreUnavailableError } from "../../../io/ports";
import { LEVELS, type Level } from "../../../io/sqlite/block-tables";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { ThreadedCounterStore } from "../../../io/sqlite/counter-writer";
import { SqliteCounterReader } from "../../../io/sqlite/reader-thread";
import { auditReadsContract } from "./audit-reads-contract";
import { Child, removeFolders, temporaryFolder } from "./condition";
import {
  asMinuteCounts,
  CounterModel,
  generatedBatch,
  generatedCells,
  modelLevels,
  storedLevels,
} from "./counter-model";
import { agreesAfterSteps, agreesInAnyOrder, cell, counterStoreContract, EDGES } from "./counter-store-contract";
import { foldAll, type RewrittenCell, rewriteCells, withCounters } from "./rewrite-cells";

afterEach(removeFolders);

auditReadsContract("SqliteCounterStore", {
  open: async () => new SqliteCounterStore({ folder: temporaryFolder() }),
});
counterStoreContract("SqliteCounterStore", {
  open: async () => new SqliteCounterStore({ folder: temporaryFolder() }),
});
counterStoreContract("ThreadedCounterStore", {
  open: async () => new ThreadedCounterStore({ folder: temporaryFolder() }),
});
counterStoreContract("SqliteCounterStore in transactions of three cells", {
  open: async () => new SqliteCounterStore({ folder: temporaryFolder(), maxCellsPerTransaction: 3 }),
});

/** Cells whose counts, sums and times are related in no way, as panes never make them: this store orders these too. */
const unrelated = fc
  .array(
    fc.record({
      minute: fc.constantFrom(...EDGES),
      video: fc.constantFrom("a", "b", "c/1"),
      type: fc.constantFrom("VIEW", "LIKE"),
      count: fc.integer({ min: 0, max: 20 }),
      valued: fc.integer({ min: 0, max: 20 }),
      sum: fc.oneof(fc.bigInt(-100n, 100n), fc.bigInt(-(2n ** 83n), 2n ** 83n)),
      last: fc.integer({ min: 0, max: 59_999 }),
      correction: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  // A cell that is empty has no last event; one without values has no sum.
  .map((batch) =>
    batch
      .map((one) => (one.count === 0 ? { ...one, last: 0 } : one))
      .map((one) => ({ ...one, valued: Math.min(one.count, one.valued) }))
      .map((one) => (one.valued === 0 ? { ...one, sum: 0n } : one)),
  );

describe("SqliteCounterStore, given cells that no nested panes make", () => {
  it("agrees with the model at every level after any applies, repeats and corrections", async () => {
    const steps = fc.array(
      fc.record({ batch: unrelated, how: fc.constantFrom("apply", "follow", "correct", "again") }),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const store = new SqliteCounterStore({ folder: temporaryFolder() });
        await agreesAfterSteps(store, taken);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  it("ends the same whatever the order and however the calls run together", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(unrelated, { maxLength: 6 }), fc.boolean(), async (batches, concurrent) => {
        const store = new SqliteCounterStore({ folder: temporaryFolder() });
        await agreesInAnyOrder(store, batches, concurrent);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  it("keeps counts beyond 2^29", async () => {
    const store = new SqliteCounterStore({ folder: temporaryFolder() });
    const many = Array.from({ length: 120 }, (_, n) => cell(n, "a", 2 ** 40));
    await store.apply(asMinuteCounts(many));
    expect((await store.totals("a")).get("VIEW")?.count).toBe(120 * 2 ** 40);
    await store.close();
  });
});

/** Runs raw SQL on a store's file, as a person with a shell could. */
const damage = (folder: string, sql: string): void => withCounters(folder, (db) => db.exec(sql));

describe("SqliteCounterStore", () => {
  it("has levels that agree after kill -9 in the middle of applies, and completes on a retry", {
    timeout: 60_000,
  }, async () => {
    const firstSeed = Number(process.env.VIEWMILL_TEST_SEED ?? Date.now() % 1_000_000);
    for (let seed = firstSeed; seed < firstSeed + 4; seed++) {
      const folder = temporaryFolder();
      const child = new Child("apply-counts", folder, String(seed), "400");
      await child.until((lines) => lines.length > 1 + (seed % 7));
      await child.kill();
      const note = `seed ${seed}, killed after ${child.lines.length} batches`;

      const store = new SqliteCounterStore({ folder });
      const crashed = await storedLevels(store);
      expect(levelsFromMinutes(crashed.minute), note).toEqual({ hour: crashed.hour, day: crashed.day });
      expect(totalsOf(crashed.day, "day"), note).toEqual(totalsOf(crashed.total, "total"));

      const model = new CounterModel();
      for (let n = 0; n <= child.lines.length; n++) {
        model.apply(generatedCells(seed, n));
        await store.apply(generatedBatch(seed, n));
      }
      expect(await storedLevels(store), note).toEqual(modelLevels(model));
      await store.close();
    }
  });

  it("takes the writes of two processes at once", { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    const children = [1, 2].map((seed) => new Child("apply-counts", folder, String(seed), "12"));
    const store = new SqliteCounterStore({ folder });
    const model = new CounterModel();
    for (let n = 0; n < 12; n++) await store.apply(generatedBatch(3, n));
    expect(await Promise.all(children.map((child) => child.ended))).toEqual([0, 0]);
    for (const seed of [1, 2, 3]) for (let n = 0; n < 12; n++) model.apply(generatedCells(seed, n));
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });

  const allOf = (level: Level, change: (cell: RewrittenCell) => "delete" | undefined) => (folder: string) => {
    expect(rewriteCells(folder, level, change)).toBeGreaterThan(0);
  };
  const DAMAGES: Record<string, (folder: string) => void> = {
    minute: allOf("minute", (cell) => {
      Object.assign(cell, { count: 77, sum: 5n });
      return undefined;
    }),
    "minute, missing": allOf("minute", () => "delete"),
    hour: allOf("hour", (cell) => {
      Object.assign(cell, { count: cell.count + 1, sum: 3n << 32n });
      return undefined;
    }),
    "hour, missing": allOf("hour", () => "delete"),
    "hour, too low for what is taken off": allOf("hour", (cell) => {
      Object.assign(cell, { count: 1, valued: 0 });
      return undefined;
    }),
    day: allOf("day", (cell) => {
      Object.assign(cell, { count: 9_000, sum: -(2n ** 90n) });
      return undefined;
    }),
    total: allOf("total", (cell) => {
      Object.assign(cell, { count: 1, sum: 9n * 10n ** 25n });
      return undefined;
    }),
    "every level": (folder) => {
      DAMAGES.hour!(folder);
      damage(folder, "DELETE FROM day_blocks; DELETE FROM total_blocks");
    },
  };
  for (const [level, damageLevel] of Object.entries(DAMAGES)) {
    it(`is consistent again after correct() on a store damaged by hand: ${level}`, async () => {
      const folder = temporaryFolder();
      const store = new SqliteCounterStore({ folder });
      const cells = [cell(61, "a", 3, { sum: 30n, last: 4 }), cell(62, "a", 4, { type: "LIKE" }), cell(5000, "a", 5)];
      const model = new CounterModel();
      model.apply(cells);
      await store.apply(asMinuteCounts(cells));
      damageLevel(folder);
      await store.correct(asMinuteCounts(cells));
      expect(await storedLevels(store)).toEqual(modelLevels(model));
      await store.close();
    });
  }

  it("takes a lower state onto a level that is damaged below it, and is right again", async () => {
    const folder = temporaryFolder();
    const store = new SqliteCounterStore({ folder });
    await store.apply(asMinuteCounts([cell(61, "a", 9)]));
    DAMAGES["hour, too low for what is taken off"]!(folder);
    DAMAGES.total!(folder);
    const lower = cell(61, "a", 2, { correction: 1 });
    await store.apply(asMinuteCounts([lower]));
    const model = new CounterModel();
    model.apply([lower]);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });

  it("rebuilds hours, days and totals of one video from its minutes, of all types", async () => {
    const folder = temporaryFolder();
    const store = new SqliteCounterStore({ folder });
    const cells = [cell(-1, "a", 3, { last: 4 }), cell(61, "a", 4, { type: "LIKE" }), cell(5000, "a", 5, { sum: -1n })];
    const model = new CounterModel();
    model.apply(cells);
    await store.apply(asMinuteCounts(cells));
    rewriteCells(folder, "hour", (one) => {
      one.count = 99;
      return undefined;
    });
    // An hour and a day of which no minute is stored.
    const row = (level: string, time: number) =>
      `INSERT INTO ${level}_blocks SELECT ${time} * 33554432, cells FROM ${level}_blocks LIMIT 1`;
    damage(folder, `DELETE FROM total_blocks; ${row("hour", 30)}; ${row("day", 1)}`);
    await store.rebuild("a", -1e15, 1e15);
    await store.rebuild("unknown", 0, 1e15);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });

  for (const level of LEVELS) {
    it(`names the row that is damaged, and how it is counted anew: ${level}`, async () => {
      const folder = temporaryFolder();
      const store = new SqliteCounterStore({ folder });
      await store.apply(asMinuteCounts([cell(61, "a", 3, { sum: 30n }), cell(5000, "a", 5)]));
      withCounters(folder, foldAll);
      // A later write is recent.
      if (level === "recent") await store.apply(asMinuteCounts([cell(62, "a", 1), cell(63, "a", 1, { last: 5 })]));
      damage(
        folder,
        `UPDATE ${level}_blocks SET cells = CAST(substr(cells, 1, 4) || x'7f' || substr(cells, 6) AS BLOB)`,
      );
      const isTotal = level === "total" || level === "recent";
      const read = isTotal ? store.totals("a") : store.read("a", "VIEW", 0, 86_400_000, level);
      await expect(read).rejects.toThrow(new RegExp(`row [0-9]+ of ${level}_blocks .*videos 0 to 63.*is damaged`));
      await expect(store.rebuild("a", 0, 1e15)).rejects.toThrow(StoreUnavailableError);
      damage(folder, `DELETE FROM ${level}_blocks`);
      await store.correct(asMinuteCounts([cell(61, "a", 3, { sum: 30n }), cell(5000, "a", 5)]));
      expect((await store.totals("a")).get("VIEW")).toMatchObject({ count: level === "recent" ? 10 : 8, sum: 30n });
      await store.close();
    });
  }

  it("says that the store is full, writes nothing of that transaction, and can be closed and read", async () => {
    const folder = temporaryFolder();
    const store = new SqliteCounterStore({ folder, maxFileBytes: 200_000 });
    await store.apply(asMinuteCounts([cell(5, "a", 1)]));
    const many = Array.from({ length: 10_000 }, (_, n) => cell(6, `video-${n}`, 1));
    await expect(store.apply(asMinuteCounts(many))).rejects.toThrow(StoreUnavailableError);
    expect((await storedLevels(store)).minute).toEqual(["a VIEW 300000 1 0 0"]);
    // The ids given in the failed transaction are not remembered.
    await store.apply(asMinuteCounts([cell(7, "video-1", 2), cell(7, "video-9", 3)]));
    expect((await store.totals("video-9")).get("VIEW")?.count).toBe(3);
    await store.close();
  });
});

describe("SqliteCounterReader", () => {
  it("reads what a store writes, though it was opened before the store existed", async () => {
    const folder = temporaryFolder();
    const reader = new SqliteCounterReader({ folder });
    expect(await reader.totals("a")).toEqual(new Map());
    expect(await reader.top("VIEW", 0, 1e13, 3)).toEqual([]);
    const store = new SqliteCounterStore({ folder });
    await store.apply(asMinuteCounts([cell(61, "a", 3), cell(62, "b", 4)]));
    expect((await reader.totals("a")).get("VIEW")?.count).toBe(3);
    expect(await reader.read("b", "VIEW", 0, 86_400_000, "minute")).toEqual([
      { startMs: 62 * 60_000, count: 4, sum: 0n, valued: 0, revision: 0 },
    ]);
    expect(await reader.top("VIEW", 0, 86_400_000, 3)).toEqual([
      { videoId: "b", count: 4 },
      { videoId: "a", count: 3 },
    ]);
    await reader.close();
    await store.close();
  });

  it("does not open a file of a newer schema", () => {
    const folder = temporaryFolder();
    damage(folder, "PRAGMA user_version = 99");
    expect(() => new SqliteCounterReader({ folder })).toThrow(/schema version 99/);
  });
});

function levelsFromMinutes(minutes: readonly string[]): { hour: string[]; day: string[] } {
  const model = new CounterModel();
  for (const line of minutes) {
    const [video, type, startMs, count, sum, valued] = line.split(" ");
    const rest = { type: type!, sum: BigInt(sum!), valued: Number(valued) };
    model.apply([cell(Number(startMs) / 60_000, video!, Number(count), rest)]);
  }
  return { hour: model.level(60), day: model.level(1440) };
}

/** `video type` -> count, sum and valued, of lines of days or of totals. */
function totalsOf(lines: readonly string[], of: "day" | "total"): Map<string, [number, bigint, number]> {
  const totals = new Map<string, [number, bigint, number]>();
  for (const line of lines) {
    const [video, type, ...numbers] = line.split(" ");
    const [count, sum, valued] = of === "day" ? numbers.slice(1) : numbers;
    const before = totals.get(`${video} ${type}`) ?? [0, 0n, 0];
    totals.set(`${video} ${type}`, [before[0] + Number(count), before[1] + BigInt(sum!), before[2] + Number(valued)]);
  }
  return totals;
}
