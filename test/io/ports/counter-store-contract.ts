// SPDX-License-Identifier: Apache-2.0
/** The contract of every CounterStore, checked against the naive model. */
import fc from "fast-check";
import type { CounterStore, Granularity } from "../../../io/ports";
import { seeded } from "./condition";
import { asMinuteCounts, CounterModel, type ModelCell, modelLevels, storedLevels } from "./counter-model";

/** A store over nothing: `open` gives an empty one each time; `end` after each test. */
interface CounterStoreUnderTest {
  open(): Promise<CounterStore>;
  /** Runs of each property; default 60. */
  numRuns?: number;
}

const minuteOf = (text: string) => Date.parse(text) / 60_000;

/** Minutes at the edges of hours, days, months, years and leap days, and before 1970. */
export const EDGES = [
  "1969-12-31T23:59:00Z",
  "1970-01-01T00:00:00Z",
  "2023-12-31T23:59:00Z",
  "2024-01-01T00:00:00Z",
  "2024-02-28T23:59:00Z",
  "2024-02-29T00:00:00Z",
  "2024-02-29T23:59:00Z",
  "2024-03-01T00:00:00Z",
  "2024-03-01T00:59:00Z",
  "2024-03-01T01:00:00Z",
].map(minuteOf);

export function cell(minute: number, video: string, count: number, rest: Partial<ModelCell> = {}): ModelCell {
  const valued = rest.sum === undefined || rest.sum === 0n ? 0 : count;
  return { minute, video, type: "VIEW", count, sum: 0n, valued, last: 0, correction: 0, ...rest };
}

/**
 * Every event and repeat that comes for a cell, as panes see them: what they have counted is given by how many came.
 */
export function stateOf(
  seed: number,
  name: string,
  received: number,
): Pick<ModelCell, "count" | "sum" | "valued" | "last" | "received"> {
  let hash = seed;
  for (const character of name) hash = Math.imul(hash, 31) + character.charCodeAt(0);
  const random = seeded(hash);
  const state = { count: 0, sum: 0n, valued: 0, last: 0, received };
  for (let arrival = 0; arrival < received; arrival++) {
    const [kind, size, at, hasValue] = [random(), random(), random(), random() < 0.7];
    const value = BigInt(Math.floor((size - 0.5) * 2 ** 50)) * (size < 0.3 ? 2n ** 33n : 1n);
    if (arrival === 0 || kind < 0.6) {
      state.count++;
      if (hasValue) state.valued++;
      if (hasValue) state.sum += value;
      state.last = Math.max(state.last, Math.floor(at * 60_000));
    } else if (kind < 0.75 && state.valued > 0) {
      state.sum += value < 0n ? -value : value;
    } else if (kind < 0.9 && state.valued < state.count) {
      state.valued++;
      state.sum += value;
    }
  }
  return state;
}

interface Arrived {
  minute: number;
  video: string;
  type: string;
  received: number;
  correction: number;
}

const arrived: fc.Arbitrary<Arrived[]> = fc.array(
  fc.record({
    minute: fc.constantFrom(...EDGES),
    video: fc.constantFrom("a", "b", "c/1"),
    type: fc.constantFrom("VIEW", "LIKE"),
    received: fc.nat({ max: 9 }),
    correction: fc.nat({ max: 2 }),
  }),
  { minLength: 1, maxLength: 12 },
);

function nested(seed: number, batch: readonly Arrived[]): ModelCell[] {
  return batch.map((one) => ({ ...one, ...stateOf(seed, `${one.minute} ${one.video} ${one.type}`, one.received) }));
}

const nestedSteps = fc
  .record({
    seed: fc.nat(),
    steps: fc.array(fc.record({ batch: arrived, how: fc.constantFrom("apply", "follow", "correct", "again") }), {
      maxLength: 8,
    }),
  })
  .map(({ seed, steps }) => steps.map(({ batch, how }): Step => ({ batch: nested(seed, batch), how })));

const nestedBatches = fc
  .record({ seed: fc.nat(), batches: fc.array(arrived, { maxLength: 6 }) })
  .map(({ seed, batches }) => batches.map((batch) => nested(seed, batch)));

interface Step {
  batch: ModelCell[];
  how: "apply" | "follow" | "correct" | "again";
}

/** A batch holds a cell once, as every batch of the pipeline does. */
function once(batch: readonly ModelCell[]): ModelCell[] {
  return [...new Map(batch.map((one) => [`${one.minute} ${one.video} ${one.type}`, one])).values()];
}

/** Any applies, repeats and corrections end where the model does. */
export async function agreesAfterSteps(store: CounterStore, steps: readonly Step[]): Promise<void> {
  const model = new CounterModel();
  for (const { batch, how } of steps) {
    const cells = once(batch);
    const counts = asMinuteCounts(cells);
    if (how === "correct") {
      expect(await store.correct(counts)).toEqual({ corrected: cells.length });
      model.correct(cells);
    } else {
      await store.apply(counts, { followCorrections: how === "follow" });
      model.apply(cells, how === "follow");
    }
    if (how === "again") expect((await store.apply(counts)).written).toBe(0);
  }
  expect(await storedLevels(store)).toEqual(modelLevels(model));
}

/** The same batches in other orders, repeated, and some at once, end where the model does. */
export async function agreesInAnyOrder(
  store: CounterStore,
  batches: ModelCell[][],
  concurrent: boolean,
): Promise<void> {
  const model = new CounterModel();
  for (const batch of batches) model.apply(batch);
  const shuffled = [...batches.slice(1).reverse(), ...batches];
  if (concurrent) await Promise.all(shuffled.map((batch) => store.apply(asMinuteCounts(batch))));
  else for (const batch of shuffled) await store.apply(asMinuteCounts(batch));
  expect(await storedLevels(store)).toEqual(modelLevels(model));
}

export function counterStoreContract(describeName: string, subject: CounterStoreUnderTest): void {
  const { numRuns = 60 } = subject;
  describe(`${describeName} keeps the contract of CounterStore`, () => {
    it("agrees with the model at every level after any applies, repeats and corrections of nested panes", {
      timeout: 180_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(nestedSteps, async (steps) => {
          const store = await subject.open();
          await agreesAfterSteps(store, steps);
          await store.close();
        }),
        { numRuns },
      );
    });

    it("ends the same whatever the order and however the calls run together", { timeout: 180_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(nestedBatches, fc.boolean(), async (batches, concurrent) => {
          const store = await subject.open();
          await agreesInAnyOrder(store, batches, concurrent);
          await store.close();
        }),
        { numRuns },
      );
    });

    it("takes of two states with equal counts the one that received more: a repeat had a larger value", async () => {
      const store = await subject.open();
      const early = cell(61, "a", 2, { sum: 5n, received: 2 });
      const late = cell(61, "a", 2, { sum: 9n, received: 3 });
      for (const batch of [late, early, late, early]) await store.apply(asMinuteCounts([batch]));
      expect((await store.totals("a")).get("VIEW")?.sum).toBe(9n);
      await store.close();
    });

    it("says how many cells each of several concurrent calls has written", async () => {
      const store = await subject.open();
      const calls = [0, 1, 2].map((n) => store.apply(asMinuteCounts([cell(60, "a", 1 + n), cell(60, `own-${n}`, 1)])));
      const results = await Promise.all(calls);
      expect(results.map((result) => result.written + result.unchanged)).toEqual([2, 2, 2]);
      const again = await store.apply(asMinuteCounts([cell(60, "a", 3), cell(60, "own-1", 2)]));
      expect(again).toEqual({ written: 1, unchanged: 1 });
      await store.close();
    });

    it("does not let an older version after a newer one change anything", async () => {
      const store = await subject.open();
      await store.apply(asMinuteCounts([cell(61, "a", 9, { sum: 90n })]));
      expect(await store.apply(asMinuteCounts([cell(61, "a", 8, { sum: 800n })]))).toEqual({
        written: 0,
        unchanged: 1,
      });
      expect((await store.totals("a")).get("VIEW")).toEqual({
        count: 9,
        sum: 90n,
        valued: 9,
        lastEventAtMs: 61 * 60_000,
      });
      await store.close();
    });

    it("keeps sums exact far beyond 64 bits, negative ones too", async () => {
      const store = await subject.open();
      const huge = (2n ** 53n - 2n) * 2n ** 32n + 2n ** 32n - 1n;
      const most = 2 ** 29 - 1;
      const many = Array.from({ length: 120 }, (_, n) => cell(n, "a", most, { sum: huge }));
      await store.apply(asMinuteCounts([...many, cell(3, "b", 1, { sum: -huge }), cell(4, "b", 1, { sum: -1n })]));
      expect((await store.totals("a")).get("VIEW")).toMatchObject({ count: 120 * most, sum: 120n * huge });
      expect((await store.totals("b")).get("VIEW")?.sum).toBe(-huge - 1n);
      expect(await store.read("b", "VIEW", 0, 3_600_000, "hour")).toMatchObject([
        { startMs: 0, count: 2, sum: -huge - 1n, valued: 2 },
      ]);
      await store.close();
    });

    it("takes the cell's own correction as the newer version, and follows the stored one when told to", async () => {
      const store = await subject.open();
      await store.apply(asMinuteCounts([cell(61, "a", 9)]));
      await store.correct(asMinuteCounts([cell(61, "a", 5)]));
      await store.apply(asMinuteCounts([cell(61, "a", 100)]));
      expect((await store.totals("a")).get("VIEW")?.count).toBe(5);
      await store.apply(asMinuteCounts([cell(61, "a", 6)]), { followCorrections: true });
      expect((await store.totals("a")).get("VIEW")?.count).toBe(6);
      await store.apply(asMinuteCounts([cell(61, "a", 2, { correction: 2 })]));
      expect((await store.totals("a")).get("VIEW")?.count).toBe(2);
      await store.close();
    });

    it("deletes a cell that should not exist, and no stale write brings it back", async () => {
      const store = await subject.open();
      await store.apply(asMinuteCounts([cell(61, "a", 9, { last: 50 }), cell(10, "a", 1, { last: 7 })]));
      await store.correct(asMinuteCounts([cell(61, "a", 0), cell(61, "never", 0)]));
      await store.apply(asMinuteCounts([cell(61, "a", 9), cell(61, "never", 1)]));
      expect((await store.totals("a")).get("VIEW")).toEqual({
        count: 1,
        sum: 0n,
        valued: 0,
        lastEventAtMs: 600_007,
      });
      expect(await store.totals("never")).toEqual(new Map());
      expect(await storedLevels(store)).toEqual({
        minute: ["a VIEW 600000 1 0 0"],
        hour: ["a VIEW 0 1 0 0"],
        day: ["a VIEW 0 1 0 0"],
        total: ["a VIEW 1 0 0 600007"],
      });
      await store.close();
    });

    it("reads one video at every granularity as the model does, any range", async () => {
      const store = await subject.open();
      const model = new CounterModel();
      const all = EDGES.flatMap((minute, n) =>
        ["a", "b"].map((video) => cell(minute, video, n + 1, { sum: BigInt(n), valued: n })),
      );
      model.apply(all);
      await store.apply(asMinuteCounts(all));
      const units: [Granularity, number][] = [
        ["minute", 1],
        ["hour", 60],
        ["day", 1440],
      ];
      for (const [granularity, minutes] of units) {
        const edges = [...new Set(EDGES.map((edge) => Math.floor(edge / minutes) * minutes))];
        for (const from of edges) {
          for (const to of edges) {
            const expected = model
              .level(minutes)
              .map((line) => line.split(" "))
              .filter(
                ([video, , start]) => video === "a" && Number(start) >= from * 60_000 && Number(start) < to * 60_000,
              )
              .map(([, , start, count, sum, valued]) => ({
                startMs: Number(start),
                count: Number(count),
                sum: BigInt(sum!),
                valued: Number(valued),
                revision: 0,
              }))
              .sort((x, y) => x.startMs - y.startMs);
            expect(await store.read("a", "VIEW", from * 60_000, to * 60_000, granularity)).toEqual(expected);
          }
        }
      }
      expect(await store.read("unknown", "VIEW", 0, 1e15, "day")).toEqual([]);
      expect(await store.read("a", "UNKNOWN", 0, 1e15, "minute")).toEqual([]);
      await store.close();
    });

    it("finds the top videos of any range of minutes and those that grew most, ties by videoId in byte order", async () => {
      const store = await subject.open();
      const model = new CounterModel();
      const names = ["b", "a", "B", "_", "a:1", "c"];
      const start = minuteOf("2024-02-28T22:30:00Z");
      const all = Array.from({ length: 300 }, (_, n) => cell(start + n * 17, names[n % 6]!, 1 + (n % 3)));
      model.apply(all);
      await store.apply(asMinuteCounts(all));
      const offsets = [0, 1, 30, 59, 90, 91, 150, 1530, 1531, 2970, 3500, 4410, 6000];
      for (const from of offsets) {
        for (const to of offsets) {
          if (to <= from) continue;
          const found = await store.top("VIEW", (start + from) * 60_000, (start + to) * 60_000, 4);
          expect(found).toEqual(model.top("VIEW", start + from, start + to, 4));
          const grown = await store.rising("VIEW", (start + from) * 60_000, (start + to) * 60_000, 4);
          expect(grown).toEqual(model.rising("VIEW", start + from, start + to, 4));
        }
      }
      expect(await store.top("LIKE", 0, 1e13, 5)).toEqual([]);
      await store.close();
    });

    it("lists every video, each behind the place of what was listed before it was counted", async () => {
      const store = await subject.open();
      const minute = minuteOf("2024-02-28T22:30:00Z");
      const count = (...names: string[]) => store.apply(asMinuteCounts(names.map((name) => cell(minute, name, 1))));
      expect(await store.videosSeen!(0, 10)).toEqual({ videoIds: [], last: 0 });
      await count("b", "a", "c/1");
      const all = await store.videosSeen!(0, 10);
      expect([...new Set(all.videoIds)].sort()).toEqual(["a", "b", "c/1"]);
      expect(await store.videosSeen!(all.last, 10)).toEqual({ videoIds: [], last: all.last });
      await count("b", "d");
      await store.correct(asMinuteCounts([cell(minute, "a", 0)]));
      const later = await store.videosSeen!(all.last, 10);
      expect([...new Set(later.videoIds)]).toEqual(["d"]);
      const seen = new Set<string>();
      let last = 0;
      for (let page = await store.videosSeen!(0, 1); page.videoIds.length > 0; ) {
        expect(page.videoIds).toHaveLength(1);
        expect(page.last).toBeGreaterThan(last);
        seen.add(page.videoIds[0]!);
        last = page.last;
        page = await store.videosSeen!(last, 1);
      }
      expect({ seen: [...seen].sort(), last }).toEqual({ seen: ["a", "b", "c/1", "d"], last: later.last });
      await store.close();
    });

    it("lists the videos of a call behind every earlier place by the time the call resolves", async () => {
      const store = await subject.open();
      const minute = minuteOf("2024-02-28T22:30:00Z");
      const counted = new Set<string>();
      const seen = new Set<string>();
      let last = 0;
      const calls = Array.from({ length: 60 }, async (_, n) => {
        const names = Array.from({ length: 1 + (n % 40) }, (_, video) => `v-${(n * 13 + video) % 500}`);
        await store.apply(asMinuteCounts(names.map((name) => cell(minute + (n % 3), name, 1 + n))));
        const ours = [...counted.values(), ...names];
        for (const name of names) counted.add(name);
        for (let from = last, page = await store.videosSeen!(from, 7); ; page = await store.videosSeen!(from, 7)) {
          for (const video of page.videoIds) seen.add(video);
          if (page.videoIds.length === 0) break;
          from = page.last;
          last = Math.max(last, from);
        }
        expect(ours.filter((name) => !seen.has(name))).toEqual([]);
      });
      await Promise.all(calls);
      await store.close();
    });

    it("refuses what is not countable, and writes nothing of that call", async () => {
      const store = await subject.open();
      const [good] = asMinuteCounts([cell(5, "a", 1)]);
      const broken = [
        { ...good!, counts: Float64Array.of(-1) },
        { ...good!, counts: Float64Array.of(0.5) },
        { ...good!, sumLow: Float64Array.of(2 ** 32) },
        { ...good!, sumHigh: Float64Array.of(Number.NaN) },
        { ...good!, videoIndex: Uint32Array.of(7) },
        { ...good!, minute: 0.5 },
        { ...good!, received: Float64Array.of(0) },
        { ...good!, received: Float64Array.of(1, 1) },
        { ...good!, valued: Float64Array.of(2) },
        { ...good!, sumLow: Float64Array.of(5) },
        { ...good!, minute: 2 ** 40 },
      ];
      for (const bad of broken) await expect(store.apply([good!, bad])).rejects.toThrow(RangeError);
      expect(await store.totals("a")).toEqual(new Map());
      await store.close();
    });
  });
}
