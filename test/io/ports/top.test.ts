// SPDX-License-Identifier: Apache-2.0
/**
 * The ranking index: after any writes, corrections, folds and damages, the top of a range equals that of a full sort.
 */
import fc from "fast-check";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { removeFolders, seeded, temporaryFolder } from "./condition";
import { asMinuteCounts, CounterModel, type ModelCell } from "./counter-model";
import { cell } from "./counter-store-contract";
import { withCounters } from "./rewrite-cells";

afterEach(removeFolders);

const FIRST_MINUTE = Date.UTC(2024, 1, 28, 16) / 60_000;
/** Fifty hours around two midnights. */
const MINUTES = 50 * 60;

/** Videos of forty buckets in the order they come, a few of them far ahead of the others. */
function cellsOf(seed: number): ModelCell[] {
  const random = seeded(seed);
  const cells = Array.from({ length: 150 }, () => {
    const video = Math.floor(2_560 * random() ** 3);
    const minute = FIRST_MINUTE + Math.floor(random() * MINUTES);
    const count = 1 + Math.floor(random() * (video < 8 ? 60 : 6));
    return cell(minute, `video-${video * 7919}`, count, { type: random() < 0.8 ? "VIEW" : "LIKE" });
  });
  return [...new Map(cells.map((one) => [`${one.minute} ${one.video} ${one.type}`, one])).values()];
}

const range = fc
  .tuple(fc.nat(MINUTES), fc.nat(MINUTES), fc.constantFrom(1, 60, 1440))
  .map(
    ([a, b, unit]) =>
      [Math.floor(Math.min(a, b) / unit) * unit, (Math.floor(Math.max(a, b) / unit) + 1) * unit] as const,
  );

async function expectSorted(store: SqliteCounterStore, model: CounterModel, from: number, to: number, limit: number) {
  const [fromMinute, toMinute] = [FIRST_MINUTE + from, FIRST_MINUTE + to];
  for (const type of ["VIEW", "LIKE"]) {
    const top = await store.top(type, fromMinute * 60_000, toMinute * 60_000, limit);
    expect(top).toEqual(model.top(type, fromMinute, toMinute, limit));
    const rising = await store.rising(type, fromMinute * 60_000, toMinute * 60_000, limit);
    expect(rising).toEqual(model.rising(type, fromMinute, toMinute, limit));
  }
}

it("top and growth are those of the full sort", { timeout: 120_000 }, async () => {
  const step = fc.record({ corrects: fc.boolean(), seed: fc.nat() });
  const steps = fc.array(step, { minLength: 1, maxLength: 5 });
  const ranges = fc.array(range, { minLength: 4, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(steps, ranges, fc.integer({ min: 1, max: 30 }), async (taken, asked, limit) => {
      const folding = { leastFoldedCells: 40, foldedBuckets: 4, hoursKeptOpen: 2 };
      const store = new SqliteCounterStore({ folder: temporaryFolder(), folding });
      const model = new CounterModel();
      for (const { corrects, seed } of taken) {
        const cells = cellsOf(seed);
        // A correction takes cells away, too: bounds may only be too large then.
        if (corrects)
          for (const one of cells) if (one.count % 3 === 0) Object.assign(one, { count: 0, sum: 0n, valued: 0 });
        if (corrects) {
          model.correct(cells);
          await store.correct(asMinuteCounts(cells));
        } else {
          model.apply(cells);
          await store.apply(asMinuteCounts(cells));
        }
      }
      for (const [from, to] of asked) await expectSorted(store, model, from, to, limit);
      await store.close();
    }),
    { numRuns: 20 },
  );
});

it("counts that are all alike are ranked by reading everything", { timeout: 120_000 }, async () => {
  const store = new SqliteCounterStore({ folder: temporaryFolder() });
  const model = new CounterModel();
  const alike = Array.from({ length: 50_000 }, (_, n) => cell(FIRST_MINUTE, `video-${n}`, n === 41_234 ? 3 : 2));
  model.apply(alike);
  const zeros = () => new Float64Array(alike.length);
  await store.apply([
    {
      minute: FIRST_MINUTE,
      videos: alike.map(({ video }) => video),
      types: ["VIEW"],
      videoIndex: Uint32Array.from(alike, (_, row) => row),
      typeIndex: new Uint32Array(alike.length),
      counts: Float64Array.from(alike, ({ count }) => count),
      valued: zeros(),
      sumHigh: zeros(),
      sumLow: zeros(),
      lastMsInMinute: new Uint16Array(alike.length),
    },
  ]);
  await expectSorted(store, model, 0, 1, 12);
  await store.close();
});

it("a damaged row of the index costs time and no answer, and the next write makes it anew", async () => {
  const folder = temporaryFolder();
  const store = new SqliteCounterStore({ folder });
  const model = new CounterModel();
  const cells = Array.from({ length: 300 }, (_, n) => cell(FIRST_MINUTE, `video-${n}`, 1 + (n % 90)));
  model.apply(cells);
  await store.apply(asMinuteCounts(cells));
  withCounters(folder, (db) => db.exec("UPDATE ranks SET most = x'0107000000'"));
  await expectSorted(store, model, 0, 60, 5);
  const more = [cell(FIRST_MINUTE, "video-7", 500)];
  model.apply(more);
  await store.apply(asMinuteCounts(more));
  await expectSorted(store, model, 0, 60, 5);
  withCounters(folder, (db) => {
    const rows = db.prepare("SELECT most FROM ranks WHERE level = 0").all();
    expect(rows.map(({ most }) => (most as Uint8Array).length).sort()).not.toEqual([5]);
  });
  await store.close();
});
