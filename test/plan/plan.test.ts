// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { COEFFICIENTS, type Coefficients } from "../../plan/coefficients";
import { costOf } from "../../plan/cost";
import { PRICES } from "../../plan/prices";
import { simulate } from "../../plan/simulation";
import { sizingOf } from "../../plan/sizing";
import { type Workload, workloadOf } from "../../plan/workload";
import { distinctCounter, hottestShare, zipfSampler } from "../../plan/zipf";
import { seeded } from "../io/ports/condition";

const coefficients: Coefficients = COEFFICIENTS;
const lines = (given: Partial<Workload>) => {
  const { lines: all } = sizingOf(workloadOf(given), coefficients);
  return new Map(all.map(({ group, name, value }) => [`${group}: ${name}`, value]));
};

const workloads = fc
  .record({
    eventsPerSecond: fc.double({ min: 1, max: 2e7, noNaN: true }),
    videos: fc.integer({ min: 1, max: 1e9 }),
    zipf: fc.double({ min: 0, max: 1.5, noNaN: true }),
    hotShare: fc.constantFrom(0, 0.5),
    duplicateShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
    lateShare: fc.constantFrom(0, 0.01),
    form: fc.constantFrom("batch" as const, "array" as const),
    log: fc.constantFrom("kafka" as const, "pubsub" as const),
    runner: fc.constantFrom("flink" as const, "dataflow" as const),
    direct: fc.boolean(),
  })
  .map(workloadOf);

/** Figures that fall with the rate, or that are shares. */
const NO_AMOUNT = new Set(["log: bytes a message", "stream: hottest video"]);

/** One partition more makes every pane smaller, and with it what a core holds. */
const STEPS_DOWN = new Set(["stream: worker memory"]);

test("a larger rate never needs less of anything, nor costs less", () => {
  fc.assert(
    fc.property(workloads, fc.double({ min: 1, max: 50, noNaN: true }), (workload, factor) => {
      const larger = { ...workload, eventsPerSecond: workload.eventsPerSecond * factor };
      const [before, after] = [lines(workload), lines(larger)];
      for (const [name, value] of before) {
        if (!NO_AMOUNT.has(name) && !STEPS_DOWN.has(name))
          expect(after.get(name), name).toBeGreaterThanOrEqual(value * (1 - 1e-9));
      }
      const usd = (each: Workload) => costOf(each, sizingOf(each, coefficients), PRICES).usdPerMonth;
      expect(usd(larger)).toBeGreaterThanOrEqual(usd(workload) * (1 - 1e-9));
    }),
    { numRuns: 40 },
  );
});

test("what only the rate decides is proportional to it, and what it does not decide stays", () => {
  fc.assert(
    fc.property(workloads, (workload) => {
      const [once, twice] = [lines(workload), lines({ ...workload, eventsPerSecond: workload.eventsPerSecond * 2 })];
      for (const name of ["log: messages", "log: bytes", "Cloud Storage: bytes", "Cloud Storage: kept"])
        expect(twice.get(name)).toBeCloseTo(once.get(name)! * 2, -Math.floor(Math.log10(once.get(name)!)) + 5);
      for (const name of NO_AMOUNT) expect(twice.get(name)).toBeCloseTo(once.get(name)!, 6);
    }),
    { numRuns: 30 },
  );
});

test("more videos are more cells, and never more of them than events or than videos and types", () => {
  fc.assert(
    fc.property(workloads, (workload) => {
      const more = lines({ ...workload, videos: Math.min(1e10, workload.videos * 3) });
      const found = lines(workload);
      const cells = found.get("stream: cells a minute")!;
      const events = workload.eventsPerSecond * 60 * (1 - workload.duplicateShare);
      expect(more.get("stream: cells a minute")).toBeGreaterThanOrEqual(cells * (1 - 1e-6));
      expect(cells).toBeLessThanOrEqual(Math.min(events, workload.videos * 3) * (1 + 1e-6));
      expect(found.get("stream: videos a minute")).toBeLessThanOrEqual(cells * (1 + 1e-6));
    }),
    { numRuns: 40 },
  );
});

test("the hottest video's row is written as often at ten million events a second as at a thousand", () => {
  const writes = [1e3, 1e7].map((eventsPerSecond) =>
    lines({ eventsPerSecond, videos: 1e7, hotShare: 0.5 }).get("Bigtable: the hottest video's row"),
  );
  expect(writes).toEqual([1, 1]);
});

test("units: bytes of a day are the bytes a second that a day has, cores are CPU-seconds over what may be used", () => {
  const found = lines({ eventsPerSecond: 1_000, videos: 10, rawDays: 7, utilization: 0.5 });
  expect(found.get("Cloud Storage: bytes")).toBeCloseTo(1_000 * 86_400 * COEFFICIENTS.archiveBytes.value, 0);
  expect(found.get("Cloud Storage: kept")).toBeCloseTo(7 * found.get("Cloud Storage: bytes")!, 0);
  const cpu = [...found].filter(([name]) => name.includes("CPU:")).reduce((sum, [, value]) => sum + value, 0);
  expect(found.get("stream: worker cores")).toBe(Math.ceil(cpu / 0.5));
  const month = costOf(
    workloadOf({ eventsPerSecond: 1e9 / (730 * 3_600), videos: 10 }),
    sizingOf(workloadOf({ eventsPerSecond: 1e9 / (730 * 3_600), videos: 10 }), coefficients),
    PRICES,
  );
  expect(month.usdPerBillionEvents).toBeCloseTo(month.usdPerMonth, 6);
});

test("audits are sized and priced: a heavy minute in parts that each fit a worker, and the cores of all of them", () => {
  const auditOf = (eventsPerSecond: number) => {
    const given = { eventsPerSecond, videos: 1_000_000 };
    const workload = workloadOf(given);
    const line = costOf(workload, sizingOf(workload, coefficients), PRICES).lines.find(({ name }) => name === "audit");
    return { sized: lines(given), usd: line?.usdPerMonth ?? 0 };
  };
  const [small, large] = [auditOf(100_000), auditOf(1_000_000)];
  expect([small, large].map(({ sized }) => sized.get("audit: parts of a minute"))).toEqual([1, 10]);
  expect(large.sized.get("audit: memory of one part")).toBeLessThan(1.5e9);
  expect(small.usd).toBeGreaterThan(0);
  // A row is read by each part of its minute, and counted by one.
  expect(large.usd).toBeGreaterThan(10 * small.usd);
});

test("a price that nobody knows is in no sum and is named; given, it is in", () => {
  const workload = workloadOf({ eventsPerSecond: 1e6, videos: 1e6, log: "kafka" });
  const sizing = sizingOf(workload, coefficients);
  const without = costOf(workload, sizing, PRICES);
  expect(without.missing).toEqual(["kafkaTib"]);
  expect(without.lines[0]).toMatchObject({ name: "Kafka", usdPerMonth: undefined });
  const price = { usd: 10, per: "TiB", url: "", read: "" };
  const given = costOf(workload, sizing, { ...PRICES, kafkaTib: price });
  expect(given.missing).toEqual([]);
  const tebibytes = (sizing.parts.log.bytes * 730 * 3_600) / 2 ** 40;
  expect(given.usdPerMonth - without.usdPerMonth).toBeCloseTo(10 * tebibytes, 4);
});

test("every price and coefficient says where it is from", () => {
  for (const price of Object.values(PRICES))
    if (price !== undefined) expect(price).toMatchObject({ url: /^https:/, read: /2026/ });
  for (const { source, value } of Object.values(coefficients)) {
    expect(value).toBeGreaterThan(0);
    expect(source).toMatch(/\.(md|ts)|^https:|not measured/);
  }
});

test.each([
  [{ eventsPerSecond: 0, videos: 5 }, /eventsPerSecond must be a number from 1/],
  [{ eventsPerSecond: 10, videos: 1.5 }, /videos must be a whole number/],
  [{ eventsPerSecond: Number.NaN, videos: 5, zipf: 9 }, /eventsPerSecond.*zipf/],
  [{ eventsPerSecond: 10, videos: 5, typeShares: [0.5] }, /add up to 1/],
  [{ eventsPerSecond: 10, videos: 5, form: "single" as const }, /batchEvents must be 1/],
  [{ eventsPerSecond: 10, videos: 5, lateMinutes: 90 }, /lateMinutes must not be above/],
])("%j is refused: %s", (given, message) => {
  expect(() => workloadOf(given)).toThrow(message);
});

describe("Zipf", () => {
  test("groups of ranks give what adding up one by one gives", () => {
    for (const zipf of [0, 0.7, 1, 1.3]) {
      const popularity = { videos: 300_000, zipf, hotShare: 0 };
      let [sum, distinct] = [0, 0];
      for (let rank = 1; rank <= popularity.videos; rank++) sum += rank ** -zipf;
      for (let rank = 1; rank <= popularity.videos; rank++) distinct += 1 - Math.exp((-100_000 * rank ** -zipf) / sum);
      expect(hottestShare(popularity) * sum).toBeCloseTo(1, 5);
      expect(distinctCounter(popularity)(100_000) / distinct).toBeCloseTo(1, 4);
    }
  });

  test("the sampler draws each rank as often as its weight says", () => {
    for (const zipf of [0, 0.8, 1, 1.5]) {
      const popularity = { videos: 50, zipf, hotShare: 0 };
      const draw = zipfSampler(popularity, seeded(7));
      const drawn = new Float64Array(51);
      const draws = 200_000;
      for (let i = 0; i < draws; i++) {
        const rank = draw();
        drawn[rank] = drawn[rank]! + 1;
      }
      let sum = 0;
      for (let rank = 1; rank <= 50; rank++) sum += rank ** -zipf;
      for (let rank = 1; rank <= 50; rank++) {
        const expected = (draws * rank ** -zipf) / sum;
        expect(Math.abs(drawn[rank]! - expected)).toBeLessThan(6 * Math.sqrt(expected) + 1);
      }
      expect(hottestShare(popularity)).toBeCloseTo(1 / sum, 9);
    }
  });
});

function pick(weights: readonly number[], at: number): number {
  let left = at;
  for (let index = 0; index < weights.length; index++) {
    left -= weights[index]!;
    if (left < 0) return index;
  }
  return weights.length - 1;
}

/** Step by step, event by event, with Sets: what a minute of a small workload comes to. */
function naiveMinute(workload: Workload, partitions: number, seed: number) {
  const random = seeded(seed);
  const weights = Array.from({ length: workload.videos }, (_, rank) => (rank + 1) ** -workload.zipf);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const [videos, cells] = [new Set<number>(), new Set<string>()];
  const panes = Array.from({ length: partitions }, () => new Set<string>());
  let messages = 0;
  let inMessage = 0;
  for (let event = 0; event < workload.eventsPerSecond * 60; event++) {
    if (inMessage++ % workload.batchEvents === 0) messages++;
    if (random() < workload.duplicateShare) continue;
    const video = random() < workload.hotShare ? 0 : pick(weights, random() * total);
    const typeIndex = pick(workload.typeShares, random());
    videos.add(video);
    cells.add(`${video} ${typeIndex}`);
    panes[Math.floor(random() * partitions)]!.add(`${video} ${typeIndex}`);
  }
  return {
    messages,
    videos: videos.size,
    cells: cells.size,
    paneCells: panes.reduce((sum, pane) => sum + pane.size, 0) / partitions,
  };
}

test("the formulas are what a naive run of the minute comes to", () => {
  const small = fc.record({
    eventsPerSecond: fc.integer({ min: 20, max: 200 }),
    videos: fc.integer({ min: 50, max: 400 }),
    zipf: fc.constantFrom(0, 0.8, 1, 1.2),
    hotShare: fc.constantFrom(0, 0.3),
    duplicateShare: fc.constantFrom(0, 0.2),
    batchEvents: fc.constantFrom(1, 50),
  });
  fc.assert(
    fc.property(small, fc.nat(), (given, seed) => {
      const workload = workloadOf(given);
      const { parts } = sizingOf(workload, coefficients);
      const naive = naiveMinute(workload, parts.partitions, seed);
      expect(Math.abs(naive.messages - parts.log.messages * 60)).toBeLessThan(1);
      expect(Math.abs(naive.videos - parts.minute.videoMinutes)).toBeLessThan(
        5 * Math.sqrt(parts.minute.videoMinutes) + 2,
      );
      expect(Math.abs(naive.cells - parts.minute.cellMinutes)).toBeLessThan(
        5 * Math.sqrt(parts.minute.cellMinutes) + 2,
      );
      expect(Math.abs(naive.paneCells - parts.minute.paneCells)).toBeLessThan(
        5 * Math.sqrt(parts.minute.paneCells) + 2,
      );
    }),
    { numRuns: 30 },
  );
});

describe("the simulation", () => {
  const workload = workloadOf({ eventsPerSecond: 1e6, videos: 1e6, hotShare: 0.2 });
  const sizing = sizingOf(workload, { ...coefficients, paneEvents: { ...coefficients.paneEvents, value: 100_000 } });
  const found = simulate(workload, sizing, { maxEvents: 200_000, seed: 3 });

  test("says the same for the same seed, and another for another", () => {
    expect(simulate(workload, sizing, { maxEvents: 200_000, seed: 3 })).toEqual(found);
    expect(simulate(workload, sizing, { maxEvents: 200_000, seed: 4 })).not.toEqual(found);
  });

  test("shuffles what the formulas say, through the real blocks and panes", () => {
    expect(found.panes).toBe(2);
    expect(found.blockBytesPerSecond / sizing.parts.bytes.blockBytes).toBeGreaterThan(0.95);
    expect(found.blockBytesPerSecond / sizing.parts.bytes.blockBytes).toBeLessThan(1.08);
    expect(found.cellsPerPane / sizing.parts.minute.paneCells).toBeCloseTo(1, 1);
    expect(found.countBytesPerSecond / sizing.parts.bytes.countBytes).toBeGreaterThan(0.9);
    expect(found.countBytesPerSecond / sizing.parts.bytes.countBytes).toBeLessThan(1.2);
    expect(found.duplicate / found.events).toBeCloseTo(workload.duplicateShare, 2);
  });

  test("a fifth of all events on one video leaves partitions and shards even; partitioned by video they would not be", () => {
    expect(found.hottestShare).toBeGreaterThan(0.2);
    expect(found.busiestPartition).toBeLessThan(1 + 2 * (found.expectedBusiestPartition - 1));
    expect(found.busiestShardBytes).toBeLessThan(1.3);
    expect(found.busiestPartitionByVideo).toBeGreaterThan(0.2 * sizing.parts.partitions);
    expect(found.hottestCellsPerPane).toBe(3);
  });
});

test("cells are kept and priced as long as the retention says, and roll-ups by the day", () => {
  const given = { eventsPerSecond: 1_000, videos: 5_000, rawDays: 7 };
  const [usual, longer] = [lines(given), lines({ ...given, minuteDays: 18, hourDays: 300 })];
  const amount = (of: Map<string, number>, name: string) => of.get(name)!;
  expect(amount(longer, "Bigtable: minute cells") / amount(usual, "Bigtable: minute cells")).toBeCloseTo(2, 9);
  expect(amount(longer, "Bigtable: hour cells") / amount(usual, "Bigtable: hour cells")).toBeCloseTo(3, 9);
  expect(amount(longer, "Cloud Storage: roll-ups")).toBe(amount(usual, "Cloud Storage: roll-ups"));
  expect(amount(usual, "Cloud Storage: catalog")).toBe(5_000 * coefficients.catalogVideo.value);
  const usdOf = (workload: Partial<Workload>, name: string) =>
    costOf(workloadOf(workload), sizingOf(workloadOf(workload), coefficients), PRICES).lines.find(
      (line) => line.name === name,
    )!.usdPerMonth!;
  const hours = { ...given, hourDays: 300 };
  expect(usdOf(hours, "Bigtable, hour cells") / usdOf(given, "Bigtable, hour cells")).toBeCloseTo(3, 9);
  expect(usdOf(given, "roll-ups, of a year")).toBeGreaterThan(0);
  expect(() => workloadOf({ ...given, minuteDays: 8 })).toThrow(/minuteDays must be at least 9/);
  expect(() => workloadOf({ ...given, hourDays: 8 })).toThrow(/hourDays must be at least .*9/);
  const { minuteDays, hourDays } = workloadOf({ ...given, rawDays: 200 });
  expect([minuteDays, hourDays]).toEqual([202, 202]);
});
