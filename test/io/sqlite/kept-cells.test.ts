// SPDX-License-Identifier: Apache-2.0
/**
 * A reader that keeps cells answers as one that keeps none, whatever writers, audits and roll-ups of other connections
 * have done since.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { Cell, Granularity, RollUp } from "../../../io/ports";
import { SqliteCellTiers } from "../../../io/sqlite/cell-tiers";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { SqliteCounterReader } from "../../../io/sqlite/reader-thread";
import { removeFolders, seeded, temporaryFolder } from "../ports/condition";
import { asMinuteCounts, type ModelCell } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";

afterEach(removeFolders);

const VIDEOS = Array.from({ length: 70 }, (_, n) => `video-${n}`);
const READ_VIDEOS = [VIDEOS[0]!, VIDEOS[1]!, VIDEOS[69]!, "unknown"];
/** Nine days around a month's end. */
const FIRST_MS = Date.UTC(2024, 1, 28);
const FIRST_MINUTE = FIRST_MS / 60_000;
const MINUTES = 9 * 1440;
const HOUR_MS = 3_600_000;
const LEVELS: readonly Granularity[] = ["minute", "hour", "day"];
const UNIT_MS = { minute: 60_000, hour: HOUR_MS, day: 24 * HOUR_MS };

const step = fc.record({
  how: fc.constantFrom("apply", "apply", "apply", "final", "correct", "rebuild", "wide", "roll", "thaw"),
  seed: fc.nat(),
  /** Reads are made after some steps only, so that readers are behind by several transactions. */
  reads: fc.nat({ max: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function cellsOf(random: () => number, length: number, minutes: number): ModelCell[] {
  const around = Math.floor(random() * (MINUTES - minutes));
  const cells = Array.from({ length }, () => {
    const minute = FIRST_MINUTE + around + Math.floor(random() * minutes);
    const video = VIDEOS[Math.floor(random() * VIDEOS.length * (random() < 0.7 ? 0.04 : 1))]!;
    const sum = random() < 0.7 ? 0n : BigInt(Math.floor((random() - 0.5) * 2 ** 52));
    return cell(minute, video, 1 + Math.floor(random() * 50), { sum, last: Math.floor(random() * 60_000) });
  });
  return [...new Map(cells.map((one) => [`${one.minute} ${one.video}`, one])).values()];
}

class Condition {
  readonly folder = temporaryFolder();
  readonly store = new SqliteCounterStore({
    folder: this.folder,
    folding: { leastFoldedCells: 20, foldedBuckets: 1, hoursKeptOpen: 2 },
  });
  readonly tiers = new SqliteCellTiers({ folder: this.folder });
  readonly plain = new SqliteCounterReader({ folder: this.folder, keptBytes: 0 });
  readonly kept = [new SqliteCounterReader({ folder: this.folder }), this.reader(8_000)];
  rolledHours = 0;

  reader(keptBytes: number): SqliteCounterReader {
    return new SqliteCounterReader({ folder: this.folder, keptBytes });
  }

  async take({ how, seed }: Step): Promise<void> {
    const random = seeded(seed);
    if (how === "roll") return this.roll();
    if (how === "thaw") {
      await this.tiers.freeze(this.range(1));
      return this.tiers.thaw();
    }
    const cells = cellsOf(random, how === "wide" ? 300 : 8, how === "wide" ? MINUTES : 120);
    if (how === "rebuild") return this.store.rebuild(cells[0]!.video, FIRST_MS, FIRST_MS + MINUTES * 60_000);
    if (how === "correct") return void (await this.store.correct(asMinuteCounts(cells)));
    const options = how === "final" ? { finalBeforeMinute: FIRST_MINUTE + Math.floor(random() * MINUTES) } : {};
    await this.store.apply(asMinuteCounts(cells), options);
  }

  range(hours: number) {
    const fromMs = FIRST_MS + this.rolledHours * HOUR_MS;
    return { level: "minute" as const, fromMs, toMs: fromMs + hours * HOUR_MS };
  }

  /** Deletes five hours' minutes, which roll-ups would have; they are looked at in each phase. */
  async roll(): Promise<void> {
    const range = this.range(5);
    if (range.toMs > FIRST_MS + MINUTES * 60_000) return;
    await this.tiers.freeze(range);
    const file: RollUp = {
      ...range,
      ...{ name: `f${this.rolledHours}`, part: 0, parts: 1, cells: 1, sizeBytes: 1, sha256: "" },
    };
    await this.tiers.expire([file]);
    await this.expectAlike(1);
    await this.tiers.commit();
    await this.expectAlike(2);
    await this.tiers.drop();
    this.rolledHours += 5;
  }

  async expectAlike(seed: number): Promise<void> {
    const random = seeded(seed);
    for (const level of LEVELS) {
      const units = (MINUTES * 60_000) / UNIT_MS[level];
      const from = Math.floor((random() - 0.1) * units);
      const to = random() < 0.3 ? units + 9 : from + 1 + Math.floor(random() * random() * units);
      for (const video of READ_VIDEOS) {
        const read = (reader: SqliteCounterReader): Promise<Cell[]> =>
          reader.read(video, "VIEW", FIRST_MS + from * UNIT_MS[level], FIRST_MS + to * UNIT_MS[level], level);
        const cells = await read(this.plain);
        for (const reader of this.kept) expect(await read(reader)).toEqual(cells);
      }
    }
    await this.expectRankedAlike(random);
  }

  /** The thread of the reader keeps days; the store's own reading keeps nothing. */
  async expectRankedAlike(random: () => number): Promise<void> {
    const from = random() < 0.5 ? 0 : Math.floor(random() * MINUTES);
    const to = Math.max(from + 1, random() < 0.5 ? MINUTES : Math.floor(random() * MINUTES));
    const asked = ["VIEW", FIRST_MS + from * 60_000, FIRST_MS + to * 60_000, 1 + Math.floor(random() * 9)] as const;
    expect(await this.kept[0]!.top(...asked)).toEqual(await this.store.top(...asked));
    expect(await this.kept[0]!.rising(...asked)).toEqual(await this.store.rising(...asked));
  }

  async close(): Promise<void> {
    await Promise.all([this.store, this.tiers, this.plain, ...this.kept].map((one) => one.close()));
  }
}

it("kept cells are those of the file, whatever has changed it", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const condition = new Condition();
      for (const one of steps) {
        await condition.take(one);
        for (let n = 0; n < one.reads; n++) await condition.expectAlike(one.seed + n);
      }
      await condition.expectAlike(7);
      await condition.close();
    }),
    { numRuns: 8 },
  );
});

it("a reader that is behind by more transactions than are remembered reads anew", async () => {
  const condition = new Condition();
  await condition.expectAlike(1);
  for (let n = 0; n < 520; n++)
    await condition.store.apply(asMinuteCounts([cell(FIRST_MINUTE + (n % 180), VIDEOS[0]!, n + 1)]));
  for (let seed = 0; seed < 6; seed++) await condition.expectAlike(seed);
  await condition.close();
});

it("what a transaction rolled back is not told", async () => {
  const condition = new Condition();
  const { store } = condition;
  await condition.tiers.freeze(condition.range(1));
  await expect(store.apply(asMinuteCounts([cell(FIRST_MINUTE, VIDEOS[0]!, 1)]))).rejects.toThrow("rolled up");
  await condition.tiers.thaw();
  await store.apply(asMinuteCounts([cell(FIRST_MINUTE + 1_500, VIDEOS[0]!, 1)]));
  for (let seed = 0; seed < 6; seed++) await condition.expectAlike(seed);
  await condition.close();
});

it("what no writer has told of is not read again: rows deleted by hand stay, until their hour is written", async () => {
  const condition = new Condition();
  const cells = [0, 1, 61, 1_500].map((minute) => cell(FIRST_MINUTE + minute, VIDEOS[0]!, 1 + minute));
  await condition.store.apply(asMinuteCounts(cells));
  const counts = async (reader: SqliteCounterReader) => {
    const found = await reader.read(VIDEOS[0]!, "VIEW", FIRST_MS, FIRST_MS + 3_000 * 60_000, "minute");
    return found.map(({ count }) => count);
  };
  const [kept] = condition.kept;
  expect(await counts(kept!)).toEqual([1, 2, 62, 1_501]);
  const byHand = new DatabaseSync(join(condition.folder, "counters.sqlite"));
  byHand.exec("DELETE FROM minute_blocks");
  byHand.close();
  expect(await counts(condition.plain)).toEqual([]);
  expect(await counts(kept!)).toEqual([1, 2, 62, 1_501]);
  await condition.store.apply(asMinuteCounts([cell(FIRST_MINUTE + 1, VIDEOS[0]!, 9)]));
  expect(await counts(kept!)).toEqual([1, 9, 62, 1_501]);
  await condition.close();
});

describe("what the levels above leave out", () => {
  const [asked, neighbour] = [VIDEOS[0]!, VIDEOS[1]!];
  const countsOf = async (reader: SqliteCounterReader, video: string, level: Granularity = "hour") => {
    const found = await reader.read(video, "VIEW", FIRST_MS, FIRST_MS + MINUTES * 60_000, level);
    return found.map(({ count }) => count);
  };

  /** Two neighbours in the same blocks: one is counted on the first day alone, the other on days three and five. */
  async function neighbours(): Promise<Condition & { spoil(table: string, where: string): void }> {
    const condition = new Condition();
    const days = [0, 1_440 * 2, 1_440 * 4];
    await condition.store.apply(
      asMinuteCounts([
        cell(FIRST_MINUTE + 70, asked, 7),
        ...days.map((minute) => cell(FIRST_MINUTE + minute, neighbour, 1 + minute)),
      ]),
      { finalBeforeMinute: FIRST_MINUTE + MINUTES },
    );
    const spoil = (table: string, where: string) => {
      const byHand = new DatabaseSync(join(condition.folder, "counters.sqlite"));
      expect(byHand.prepare(`UPDATE ${table} SET cells = x'01020304050607' WHERE ${where}`).run().changes).not.toBe(0);
      byHand.close();
    };
    return Object.assign(condition, { spoil });
  }
  const firstIdOf = (unit: number) => (FIRST_MS / unit) * 2 ** 25;

  it("neither hours nor minutes are looked at behind the last event", async () => {
    const condition = await neighbours();
    condition.spoil("hour_blocks", `id >= ${firstIdOf(HOUR_MS) + 24 * 2 ** 25}`);
    condition.spoil("minute_blocks", `id >= ${firstIdOf(60_000) + 1_440 * 2 ** 25}`);
    const [kept] = condition.kept;
    expect(await countsOf(kept!, asked)).toEqual([7]);
    expect(await countsOf(kept!, asked, "minute")).toEqual([7]);
    await expect(countsOf(kept!, neighbour)).rejects.toThrow("damaged");
    await condition.close();
  });

  it("hours of days without a count are not looked at", async () => {
    const condition = await neighbours();
    await condition.store.apply(asMinuteCounts([cell(FIRST_MINUTE + 1_440 * 6, asked, 8)]));
    condition.spoil(
      "hour_blocks",
      `id BETWEEN ${firstIdOf(HOUR_MS) + 24 * 2 ** 25} AND ${firstIdOf(HOUR_MS) + 130 * 2 ** 25}`,
    );
    const [kept] = condition.kept;
    expect(await countsOf(kept!, asked)).toEqual([7, 8]);
    await expect(countsOf(kept!, neighbour)).rejects.toThrow("damaged");
    await condition.close();
  });

  it("a damaged row of a level above ends no read that can do without it", async () => {
    const condition = await neighbours();
    for (const table of ["recent_blocks", "day_blocks"]) condition.spoil(table, "true");
    const [kept] = condition.kept;
    expect(await countsOf(kept!, asked)).toEqual([7]);
    expect(await countsOf(kept!, neighbour)).toEqual([1, 2_881, 5_761]);
    await expect(countsOf(kept!, asked, "day")).rejects.toThrow("damaged");
    await condition.close();
  });
});
