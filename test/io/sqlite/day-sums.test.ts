// SPDX-License-Identifier: Apache-2.0
/**
 * The audit keeps the sums of past days from hour to hour. Whatever is written meanwhile, by whichever connection, a
 * store that has kept sums gives the same levels as a store that was just opened.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { LevelSums } from "../../../io/ports";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { collect, removeFolders, temporaryFolder } from "../ports/condition";
import { asMinuteCounts } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";

afterEach(removeFolders);

/** The videos of two buckets. */
const VIDEOS = Array.from({ length: 70 }, (_, n) => `video-${n}`);
const FIRST_DAY = Date.UTC(2024, 0, 1) / 86_400_000;
/** More days than one statement reads, with gaps between. */
const DAYS = [0, 1, 2, 3, 40, 100, 101, 166, 231, 300, 301, 302];

type Step = { how: "apply" | "correct" | "rebuild" | "damage"; day: number; video: number; count: number; by: 0 | 1 };

const steps = fc.array(
  fc.record({
    how: fc.constantFrom<Step["how"]>("apply", "apply", "correct", "rebuild", "damage"),
    day: fc.constantFrom(...DAYS),
    video: fc.nat(VIDEOS.length - 1),
    count: fc.integer({ min: 1, max: 1000 }),
    by: fc.constantFrom(0, 1),
  }),
  { maxLength: 8 },
);

const minuteOf = (day: number) => (FIRST_DAY + day) * 1440 + 600;

async function levelsOf(store: SqliteCounterStore, day: number): Promise<string[]> {
  const line = ({ level, startMs, videoId, eventType, stored, below }: LevelSums) =>
    [level, startMs, videoId, eventType, stored.count, stored.sum, below.count, below.sum, below.valued].join(" ");
  return (await collect(store.levels(VIDEOS, Math.floor(minuteOf(day) / 60)))).map(line).sort();
}

async function take({ how, day, video, count }: Step, store: SqliteCounterStore, folder: string): Promise<void> {
  const minute = minuteOf(day);
  const cells = asMinuteCounts([cell(minute, VIDEOS[video]!, count)]);
  if (how === "apply") await store.apply(cells);
  else if (how === "correct") await store.correct(cells);
  else if (how === "rebuild") await store.rebuild(VIDEOS[video]!, minute * 60_000, (minute + 60) * 60_000);
  else {
    const db = new DatabaseSync(join(folder, "counters.sqlite"));
    db.exec(
      `DELETE FROM day_blocks WHERE id >= ${FIRST_DAY + day} * 33554432 AND id < ${FIRST_DAY + day + 1} * 33554432`,
    );
    db.close();
  }
}

test("sums of days that are kept are those of the stored days, whatever is written meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const folder = temporaryFolder();
      const stores = [new SqliteCounterStore({ folder }), new SqliteCounterStore({ folder })];
      for (const day of DAYS)
        await stores[0]!.apply(asMinuteCounts(VIDEOS.map((video, n) => cell(minuteOf(day), video, n + 1))));
      for (const step of all) {
        for (const store of stores) await levelsOf(store, step.day);
        await take(step, stores[step.by]!, folder);
        const fresh = new SqliteCounterStore({ folder });
        const expected = await levelsOf(fresh, step.day);
        await fresh.close();
        for (const store of stores) expect(await levelsOf(store, step.day)).toEqual(expected);
      }
      for (const store of stores) await store.close();
    }),
    { numRuns: 40 },
  );
});
