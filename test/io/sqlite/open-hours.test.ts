// SPDX-License-Identifier: Apache-2.0
/**
 * Hours are folded a few buckets at a time, in any of the following transactions. However far the folding is, every
 * answer at every level is that of the model.
 */
import fc from "fast-check";
import type { Granularity } from "../../../io/ports";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { collect, removeFolders, seeded, temporaryFolder } from "../ports/condition";
import { asMinuteCounts, CounterModel, type ModelCell, modelLevels, storedLevels } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";

afterEach(removeFolders);

/** The videos of three buckets. */
const VIDEOS = Array.from({ length: 150 }, (_, n) => `video-${n}`);
/** Sixteen hours around midnight. */
const FIRST_MINUTE = Date.UTC(2024, 1, 28, 16) / 60_000;

type Step = { how: "apply" | "final" | "correct" | "rebuild"; seed: number; hour: number };

const step = fc.record({
  how: fc.constantFrom<Step["how"]>("apply", "apply", "apply", "final", "correct", "rebuild"),
  seed: fc.nat(),
  hour: fc.integer({ min: 0, max: 15 }),
});
const steps = fc.array(step, { maxLength: 14 });

function cellsOf({ seed, hour }: Step, minutes: number): ModelCell[] {
  const random = seeded(seed);
  const cells = Array.from({ length: 12 }, () => {
    const video = VIDEOS[Math.floor(random() * VIDEOS.length)]!;
    const minute = FIRST_MINUTE + hour * 60 + Math.floor(random() * minutes);
    const count = 1 + Math.floor(random() * 50);
    const sum = BigInt(Math.floor((random() - 0.5) * 2 ** 52)) * (random() < 0.2 ? 2n ** 33n : 1n);
    const type = random() < 0.8 ? "VIEW" : "LIKE";
    return cell(minute, video, count, { type, sum, last: Math.floor(random() * 60_000) });
  });
  return [...new Map(cells.map((one) => [`${one.minute} ${one.video} ${one.type}`, one])).values()];
}

async function take(store: SqliteCounterStore, model: CounterModel, step: Step, minutes = 90): Promise<void> {
  const cells = cellsOf(step, minutes);
  if (step.how === "rebuild") {
    await store.rebuild(cells[0]!.video, FIRST_MINUTE * 60_000, (FIRST_MINUTE + 1000) * 60_000);
  } else if (step.how === "correct") {
    model.correct(cells);
    await store.correct(asMinuteCounts(cells));
  } else {
    model.apply(cells);
    const options = step.how === "final" ? { finalBeforeMinute: FIRST_MINUTE + step.hour * 60 + 60 } : {};
    await store.apply(asMinuteCounts(cells), options);
  }
}

/** The cells of one video as single reads give them, beside the scans. */
async function readLevels(store: SqliteCounterStore, video: string): Promise<Record<Granularity, string[]>> {
  const of = async (granularity: Granularity) => {
    const lines: string[] = [];
    for (const type of ["LIKE", "VIEW"]) {
      const [from, to] = [FIRST_MINUTE - 1440 - 960, FIRST_MINUTE + 480 + 1440];
      for (const { startMs, count, sum, valued } of await store.read(
        video,
        type,
        from * 60_000,
        to * 60_000,
        granularity,
      ))
        lines.push(`${video} ${type} ${startMs} ${count} ${sum} ${valued}`);
    }
    return lines.sort();
  };
  return { minute: await of("minute"), hour: await of("hour"), day: await of("day") };
}

async function expectModel(store: SqliteCounterStore, model: CounterModel): Promise<void> {
  const levels = modelLevels(model);
  expect(await storedLevels(store)).toEqual(levels);
  for (const video of [VIDEOS[0]!, VIDEOS[70]!, VIDEOS[149]!]) {
    const own = (lines: string[]) => lines.filter((line) => line.startsWith(`${video} `));
    const { minute, hour, day } = levels;
    expect(await readLevels(store, video)).toEqual({ minute: own(minute), hour: own(hour), day: own(day) });
  }
  for (const [from, to] of [
    [0, 1440],
    [30, 500],
    [75, 90],
  ] as const) {
    const found = await store.top("VIEW", (FIRST_MINUTE + from) * 60_000, (FIRST_MINUTE + to) * 60_000, 5);
    expect(found).toEqual(model.top("VIEW", FIRST_MINUTE + from, FIRST_MINUTE + to, 5));
  }
}

it("every answer is the model's, whatever part of an hour is folded", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 40 }), async (taken, leastFoldedCells) => {
      const folding = { leastFoldedCells, foldedBuckets: 1, hoursKeptOpen: 1 };
      const store = new SqliteCounterStore({ folder: temporaryFolder(), folding });
      const model = new CounterModel();
      for (const step of taken) {
        await take(store, model, step);
        await expectModel(store, model);
      }
      await store.close();
    }),
    { numRuns: 25 },
  );
});

it("two stores on one file fold each other's hours", async () => {
  const folder = temporaryFolder();
  const folding = { leastFoldedCells: 3, foldedBuckets: 1, hoursKeptOpen: 1 };
  const stores = [new SqliteCounterStore({ folder, folding }), new SqliteCounterStore({ folder, folding })];
  const model = new CounterModel();
  for (let n = 0; n < 30; n++) await take(stores[n % 2]!, model, { how: "apply", seed: n, hour: n % 16 });
  await expectModel(stores[0]!, model);
  await expectModel(stores[1]!, model);
  for (const store of stores) await store.close();
});

/** A store keeps blocks that it wrote, until somebody else writes: cells of the same few videos, in the same hours. */
it("two stores on one file see what the other has just written, whatever it was", { timeout: 120_000 }, async () => {
  const turns = fc.array(fc.record({ taken: step, isSecond: fc.boolean() }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(turns, async (all) => {
      const folder = temporaryFolder();
      const stores = [new SqliteCounterStore({ folder }), new SqliteCounterStore({ folder })];
      const model = new CounterModel();
      for (const { taken, isSecond } of all)
        await take(stores[isSecond ? 1 : 0]!, model, { ...taken, hour: taken.hour % 3 }, 3);
      for (const store of stores) await expectModel(store, model);
      for (const store of stores) await store.close();
    }),
    { numRuns: 25 },
  );
});

it("an hour that is over ends folded: its rows are stored, and the minutes are not read for it", async () => {
  const store = new SqliteCounterStore({ folder: temporaryFolder() });
  for (let hour = 0; hour < 5; hour++) await store.apply(asMinuteCounts([cell(FIRST_MINUTE + hour * 60, "a", 1)]));
  expect(store.openHours()).toEqual([3, 4].map((hour) => FIRST_MINUTE / 60 + hour));
  expect(await collect(store.derivedCells("hour", 0, 1e14))).toHaveLength(5);
  await store.close();
});
