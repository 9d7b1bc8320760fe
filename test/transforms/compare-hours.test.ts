// SPDX-License-Identifier: Apache-2.0
/** The comparison of one hour, with stores that are filled by hand: which cells it finds, names and repairs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { type RolledHour, StoreUnavailableError } from "../../io/ports";
import type { HourElement, RecountBooks } from "../../transforms/audit-elements";
import { encodeCells } from "../../transforms/cell-columns";
import { CheckTotals } from "../../transforms/check-totals";
import { CompareHour, type HourFinding } from "../../transforms/compare-hours";
import { MinuteRecount } from "../../transforms/minute-recount";
import { objectsKey } from "../../transforms/recount-minutes";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { asMinuteCounts, type ModelCell } from "../io/ports/counter-model";
import { cell } from "../io/ports/counter-store-contract";
import { type RewrittenCell, rewriteCells } from "../io/ports/rewrite-cells";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";
import { event, withResources } from "./elements";

const M = minuteOf(T0);
const HOUR = M / 60;
const NAMES = { archive: "archive", counterStore: "counters", ledger: "ledger" };
const OPTIONS = {
  ...{ fromMinute: M, toMinute: M + 60, isAgain: false, allowedLatenessMs: -1, repair: false, patienceMs: 0 },
  ...{ finalBeforeMs: Number.POSITIVE_INFINITY, seeds: [1, 2] as [number, number], idPartitions: 1, videoParts: 1 },
};

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-compare-"));
  stores = await openStores(folder, await shared());
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Recounted cells of a minute: so many events of each video, the n-th with the value n. */
function cellsOf(minute: number, counts: Record<string, number>): HourElement {
  const recount = new MinuteRecount(minute);
  const eventTimeMs = minute * MINUTE_MS;
  const events = Object.entries(counts).flatMap(([videoId, count]) =>
    Array.from({ length: count }, (_, n) =>
      event(`${videoId}-${n}`, { videoId, eventTimeMs: eventTimeMs + n, value: n }),
    ),
  );
  recount.addObject(archiveObject("w.avro", columnsOf(events), T0));
  return { minute, cells: encodeCells(recount.cells(1, () => 0).get(0)!) };
}

const NOTHING = { events: 0, distinct: 0, lateCounted: 0, lateDuplicate: 0, backfillCounted: 0, backfillDuplicate: 0 };
const booksOf = (minute: number, more: Partial<RecountBooks> = {}): HourElement => ({
  minute,
  books: {
    ...{ minute, part: 0, of: 1, objects: 0, objectsKey: objectsKey([]), counted: NOTHING, changeSequence: 0 },
    ...{ notComparable: "", repeated: 0, missing: 0, loss: { events: 0, objects: [] } },
    ...{ wasSettled: false, isUnbalanced: false, ...more },
  },
});

/** The cell that a stream would store of the same events. */
const storedOf = (minute: number, video: string, count: number): ModelCell =>
  cell(minute, video, count, { sum: BigInt((count * (count - 1)) / 2), valued: count, last: count - 1 });

const store = (...cells: ModelCell[]) => stores.counters.apply(asMinuteCounts(cells), { followCorrections: true });

async function compare(elements: HourElement[], more: object = {}, part = 0, ports: object = {}): Promise<HourFinding> {
  const { archive, counters, ledger } = stores;
  const doFn = new CompareHour(NAMES, { ...OPTIONS, ...more });
  const [finding, ...others] = await withResources({ archive, counters, ledger, ...ports }, () =>
    doFn.process({ key: `${HOUR} ${part}`, value: elements }),
  );
  expect(others).toEqual([]);
  return finding!;
}

const numbers = ({ differences }: HourFinding) =>
  differences.map(({ level, videoId, archiveCount, storedCount, archiveSum, storedSum, archiveValued, storedValued }) =>
    [level, videoId, archiveCount, storedCount, archiveSum, storedSum, archiveValued, storedValued].join(" "),
  );
const EQUAL = {
  ...{ hour: HOUR, videoPart: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [], corrected: [] },
  ...{ differing: [], unstable: [], notFinal: [], levelsDiffer: false },
};

describe("the cells of an hour", () => {
  test("that are the stored ones are compared and equal, whole or in parts of a minute", async () => {
    await store(storedOf(M, "v", 3), storedOf(M, "w", 2), storedOf(M + 1, "v", 4));
    const whole = [cellsOf(M, { v: 3, w: 2 }), booksOf(M), cellsOf(M + 1, { v: 4 }), booksOf(M + 1)];
    const minutes = [M, M + 1].map((minute) => expect.objectContaining({ minute }));
    expect(await compare(whole)).toEqual({ ...EQUAL, minutes, cellsCompared: 3 });
    const parts = [cellsOf(M, { v: 3 }), cellsOf(M, { w: 2 }), ...whole.slice(1)];
    expect(await compare(parts)).toEqual({ ...EQUAL, minutes, cellsCompared: 3 });
    expect(await compare(whole, {}, 1)).toMatchObject({ videoPart: 1, minutes: [] });
  });

  test("of two parts of a minute are added up, and the later of their last events stays", async () => {
    const elements = [cellsOf(M, { v: 3 }), cellsOf(M, { v: 5 }), cellsOf(M, { v: 2 }), booksOf(M)];
    expect(numbers(await compare(elements, { repair: true }))).toEqual(["minute v 10 0 14 0 10 0"]);
    const { minutes, totals } = await storedCells(stores.counters);
    expect([...minutes.values()]).toMatchObject([{ count: 10, sum: 14n, valued: 10 }]);
    expect([...totals.values()]).toMatchObject([{ count: 10, lastMs: T0 + 4 }]);
  });

  test("that differ are found in both directions, and named; the levels above them are right without them", async () => {
    await store(storedOf(M, "v", 3), storedOf(M, "gone", 2), storedOf(M + 2, "stray", 1), storedOf(M + 3, "v", 1));
    const elements = [cellsOf(M, { v: 4, new: 2 }), booksOf(M), cellsOf(M + 3, { v: 1 }), booksOf(M + 3)];
    const found = await compare(elements);
    expect(numbers(found).sort()).toEqual([
      "minute gone 0 2 0 1 0 2",
      "minute new 2 0 1 0 2 0",
      "minute stray 0 1 0 0 0 1",
      "minute v 4 3 6 3 4 3",
    ]);
    expect(found).toMatchObject({ cellsCompared: 5, cellsDiffering: 4, differing: [M, M + 2], levelsDiffer: false });
    expect(found.differences.map(({ startMs }) => startMs)).toEqual([T0, T0, T0, T0 + 2 * MINUTE_MS]);
  });

  test("that differ are repaired, with the levels above them; the second look finds nothing", async () => {
    await store(storedOf(M, "v", 3), storedOf(M, "gone", 2), storedOf(M + 1, "v", 2));
    const elements = [cellsOf(M, { v: 4 }), booksOf(M), cellsOf(M + 1, { v: 2 }), booksOf(M + 1)];
    const found = await compare(elements, { repair: true });
    expect(found).toMatchObject({ corrected: [M], differing: [], cellsRepaired: 2, cellsDiffering: 2, unstable: [] });
    const { minutes, totals } = await storedCells(stores.counters);
    expect([...minutes.values()].map(({ count }) => count).sort()).toEqual([2, 4]);
    expect([...totals.values()]).toMatchObject([{ count: 6, sum: 7n, valued: 6 }]);
    expect(await compare(elements)).toMatchObject({ ...EQUAL, cellsCompared: 2 });
  });

  test("of a minute that cannot be compared, or has changed meanwhile, are neither named nor repaired", async () => {
    await store(storedOf(M, "v", 3), storedOf(M + 1, "v", 1));
    const equal = [cellsOf(M + 1, { v: 1 }), booksOf(M + 1)];
    const refused = [cellsOf(M, { v: 4 }), booksOf(M, { notComparable: "cut" }), ...equal];
    expect(await compare(refused, { repair: true })).toMatchObject({ ...EQUAL, cellsCompared: 1 });
    for (const more of [{ changeSequence: 5 }, { objectsKey: "another" }]) {
      const changed = [cellsOf(M, { v: 4 }), booksOf(M, more), ...equal];
      expect(await compare(changed, { repair: true })).toMatchObject({ ...EQUAL, cellsCompared: 1, unstable: [M] });
    }
    const parts = [booksOf(M, { of: 2 }), booksOf(M, { of: 2, part: 1, objectsKey: "another" })];
    expect(await compare([cellsOf(M, { v: 3 }), ...parts, ...equal])).toMatchObject({
      ...{ ...EQUAL, cellsCompared: 1, unstable: [M] },
    });
    expect((await storedCells(stores.counters)).minutes.size).toBe(2);
  });

  test("of a minute that nobody promised are a difference only where archive and books say nothing of it", async () => {
    await store(storedOf(M, "v", 3));
    expect(await compare([])).toMatchObject({ differing: [M], cellsDiffering: 1, minutes: [] });
    await stores.ledger.addObjects([{ name: "x.avro", minute: M, events: 3, sizeBytes: 1 }], [M]);
    expect(await compare([])).toMatchObject({ differing: [], unstable: [M], cellsDiffering: 0, cellsCompared: 0 });
  });

  test("of a minute that the stream has not passed are compared, and stay as they are", async () => {
    await store(storedOf(M, "v", 3), storedOf(M + 1, "v", 3));
    const elements = [cellsOf(M, { v: 4 }), booksOf(M), cellsOf(M + 1, { v: 4 }), booksOf(M + 1)];
    const finalBeforeMs = T0 + MINUTE_MS;
    expect(await compare(elements, { repair: true, finalBeforeMs })).toMatchObject({
      ...{ corrected: [M], notFinal: [M + 1], cellsDiffering: 1, cellsCompared: 2 },
    });
  });

  test("outside of the range are not looked at, and with minutes that are audited again only these are", async () => {
    await store(storedOf(M + 4, "v", 1), storedOf(M + 5, "v", 1), storedOf(M + 9, "v", 1), storedOf(M + 10, "v", 1));
    const range = { fromMinute: M + 5, toMinute: M + 10 };
    expect((await compare([], range)).differing).toEqual([M + 5, M + 9]);
    expect((await compare([booksOf(M + 9)], { ...range, isAgain: true })).differing).toEqual([M + 9]);
    expect((await compare([], { fromMinute: 0, toMinute: M + 600 })).differing).toHaveLength(4);
  });

  test("are all counted where more differ than are listed", async () => {
    const counts = Object.fromEntries(Array.from({ length: 1_003 }, (_, n) => [`v${n}`, 1]));
    const found = await compare([cellsOf(M, counts), booksOf(M)]);
    expect([found.cellsDiffering, found.differences.length, found.cellsCompared]).toEqual([1_003, 1_000, 1_003]);
  });
});

test("sums beyond 2^32 are told whole where the cells differ", async () => {
  await store(cell(M, "v", 2, { sum: 2n ** 33n + 5n }), cell(M, "w", 2, { sum: -(2n ** 33n) - 5n }));
  expect(numbers(await compare([cellsOf(M, { v: 1, w: 1 }), booksOf(M)])).sort()).toEqual([
    "minute v 1 2 0 8589934597 1 2",
    "minute w 1 2 0 -8589934597 1 2",
  ]);
});

describe("an hour that is in roll-ups", () => {
  const elements = [cellsOf(M, { v: 3 }), booksOf(M)];
  const rolledAs = (rolled: Partial<RolledHour>) =>
    new Proxy(stores.counters, {
      get: (target, name) =>
        name === "rolledHour"
          ? async () => ({ isRolling: false, videos: async () => new Set<string>(), counted: async () => 0, ...rolled })
          : Reflect.get(target, name).bind(target),
    });
  const minutes = [expect.objectContaining({ minute: M })];
  const failing = (error: Error) => rolledAs({ videos: () => Promise.reject(error) });

  test("is not compared while it is rolled up, or where a roll-up is damaged; its minutes are in one part", async () => {
    await store(storedOf(M, "v", 4));
    const rolling = { counters: rolledAs({ isRolling: true }) };
    const incomparable = "cells of the hour are being rolled up";
    const found = await compare(elements, { repair: true }, 0, rolling);
    expect(found).toEqual({ ...EQUAL, cellsCompared: 0, minutes, incomparable });
    expect(await compare(elements, {}, 1, rolling)).toMatchObject({ minutes: [], incomparable });
    const damaged = { counters: failing(new StoreUnavailableError("a roll-up is damaged")) };
    expect(await compare(elements, {}, 0, damaged)).toMatchObject({ minutes, incomparable: "a roll-up is damaged" });
    expect(await compare(elements, {}, 1, damaged)).toMatchObject({
      minutes: [],
      incomparable: "a roll-up is damaged",
    });
    await expect(compare(elements, {}, 0, { counters: failing(new Error("a bug")) })).rejects.toThrow("a bug");
  });

  test("has the videos of its roll-ups compared, too; a store that is away without roll-ups fails the bundle", async () => {
    await store(storedOf(M, "v", 3), storedOf(M + 600, "other", 1));
    rewriteCells(folder, "total", (each) => (each.videoId === "other" ? more(each) : undefined));
    const touching = { counters: rolledAs({ videos: async (part) => new Set(part === 0 ? ["other"] : []) }) };
    expect(numbers(await compare(elements, {}, 0, touching))).toEqual(["total other 1 8 0 -3 1 2"]);
    const away = new Proxy(stores.counters, {
      get: (target, name) =>
        name === "levels"
          ? () => {
              throw new StoreUnavailableError("away");
            }
          : name === "rolledHour" || name === "rollUps"
            ? undefined
            : Reflect.get(target, name).bind(target),
    });
    await expect(compare(elements, {}, 0, { counters: away })).rejects.toThrow("away");
  });
});

const more = (each: RewrittenCell): undefined => {
  each.count += 7;
  each.sum -= 3n;
  each.valued += 1;
};

describe("the levels above the minutes", () => {
  const elements = [cellsOf(M, { v: 3, w: 1 }), booksOf(M)];
  beforeEach(async () => {
    await store(storedOf(M, "v", 3), storedOf(M, "w", 1), storedOf(M + 600, "other", 1));
  });

  test.each([
    ["hour", "v 3 10 3 0 3 4"],
    ["day", "v 3 10 3 0 3 4"],
    ["total", "v 3 10 3 0 3 4"],
  ] as const)("a damaged %s is named, and with repair rebuilt", async (level, found) => {
    const before = await storedCells(stores.counters);
    const damaged = rewriteCells(folder, level, (each) => (each.videoId === "v" ? more(each) : undefined));
    expect(damaged).toBe(1);
    const finding = await compare(elements);
    expect(numbers(finding)).toEqual([`${level} ${found}`]);
    expect(finding).toMatchObject({ levelsDiffer: true, cellsRepaired: 0, cellsDiffering: 1, differing: [] });
    expect(finding.differences[0]).toMatchObject({ eventType: "VIEW" });
    expect(await compare(elements, { repair: true })).toMatchObject({ levelsDiffer: false, cellsRepaired: 1 });
    expect(await storedCells(stores.counters)).toEqual(before);
    expect(await compare(elements)).toMatchObject({ ...EQUAL, cellsCompared: 2 });
  });

  test("of videos that the hour does not touch are not looked at; the check of totals looks at all", async () => {
    rewriteCells(folder, "total", (each) => (each.videoId === "other" ? more(each) : undefined));
    expect(await compare(elements)).toMatchObject({ ...EQUAL, cellsCompared: 2 });
    const { counters } = stores;
    const check = (repair: boolean) =>
      withResources({ counters }, () => new CheckTotals("counters", { repair }).process({ key: "0", value: [0] }));
    const wrong = { videoPart: 0, cellsCompared: 3, cellsDiffering: 1 };
    expect(await check(false)).toMatchObject([
      {
        ...wrong,
        cellsRepaired: 0,
        differences: [{ level: "total", videoId: "other", archiveCount: 1, storedCount: 8 }],
      },
    ]);
    expect(await check(true)).toMatchObject([{ ...wrong, cellsRepaired: 1 }]);
    expect(await check(true)).toEqual([{ ...wrong, cellsDiffering: 0, cellsRepaired: 0, differences: [] }]);
  });

  test("a total without a day goes, and one whose days are of several months is rebuilt", async () => {
    const days = [0, 40, 80].map((day) => storedOf(M + day * 1_440, "months", 2));
    await store(...days);
    const before = await storedCells(stores.counters);
    rewriteCells(folder, "total", (each) => (each.videoId === "months" ? more(each) : undefined));
    const { counters } = stores;
    const check = () =>
      withResources({ counters }, () => new CheckTotals("counters", { repair: true }).process({ key: "0", value: [] }));
    expect(await check()).toMatchObject([{ cellsDiffering: 1, cellsRepaired: 1 }]);
    expect(await storedCells(counters)).toEqual(before);
    for (const level of ["minute", "hour", "day"] as const)
      expect(rewriteCells(folder, level, (each) => (each.videoId === "other" ? "delete" : undefined))).toBe(1);
    expect(await check()).toMatchObject([
      { cellsRepaired: 1, differences: [{ videoId: "other", eventType: "VIEW", archiveCount: 0, storedCount: 1 }] },
    ]);
    expect((await storedCells(counters)).totals.has("total other VIEW")).toBe(false);
  });
});
