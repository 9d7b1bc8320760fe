// SPDX-License-Identifier: Apache-2.0

import { exitCode } from "../../cli/commands/audit";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import type { CounterStore } from "../../io/ports";
import { auditTotals } from "../../pipelines/audit/audit";
import { runBoundedStream } from "../../pipelines/bounded/bounded-stream";
import { T0 } from "../domain/model";
import { asMinuteCounts } from "../io/ports/counter-model";
import { cell } from "../io/ports/counter-store-contract";
import { type RewrittenCell, rewriteCells } from "../io/ports/rewrite-cells";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { storedCells } from "../system/golden/outcome";
import { event, message } from "../transforms/elements";
import { AuditHarness } from "./audit-harness";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (minutes: number) => T0 + minutes * MINUTE_MS;

let harness: AuditHarness;
const shared = emptiedStores();
beforeEach(async () => {
  harness = await AuditHarness.open(await shared());
});
afterEach(() => harness.close());

/** Counts what is archived, as the stream of one machine does. */
async function counted(): Promise<void> {
  const counting = { dedupePartitions: 2, videoShards: 1, allowedLatenessMs: -1, followCorrections: true };
  await runBoundedStream(harness.stores, { fromMs: 0, toMs: at(100 * 24 * 60), counting });
}

function more(cell: RewrittenCell, column: "count" | "valued" | "sum", by: number): undefined {
  if (column === "sum") cell.sum += BigInt(by);
  else cell[column] += by;
}

describe("an audit goes over what was promised", () => {
  it("a minute that was accepted and never archived is named, not marked, and the exit is 4", async () => {
    await harness.archive([event("a")]);
    await counted();
    const { payload } = message([event("lost", { eventTimeMs: at(3) })], at(3));
    const accepted = new Map([[minuteOf(at(3)), 1]]);
    const { position } = await harness.stores.log.append({ payload, events: 1, acceptedByMinute: accepted });
    // The stream says that it is through, and has archived nothing.
    await harness.stores.ledger.completePass(position, [], []);
    const report = await harness.audit({ fromMs: T0, toMs: at(60), repair: true });
    expect(report).toMatchObject({
      outcome: "not-comparable",
      notComparable: [{ minute: minuteOf(at(3)), reason: "1 events accepted, 0 in the archive" }],
    });
    expect(exitCode(report)).toBe(4);
    const audited = await harness.auditedMinutes(T0, at(60));
    expect(audited).toHaveLength(59);
    expect(audited).not.toContain(minuteOf(at(3)));
  });

  it("a minute that is listed and not in the archive is named, not marked, and the exit is 4", async () => {
    const minute = minuteOf(at(3));
    await harness.stores.ledger.addObjects([{ name: "gone.avro", minute, events: 7, sizeBytes: 1 }], [minute]);
    const report = await harness.audit({ fromMs: T0, toMs: at(60) });
    expect(report.notComparable).toEqual([
      { minute, reason: "gone.avro: listed with 7 events, but not in the archive" },
    ]);
    expect(exitCode(report)).toBe(4);
    expect(await harness.auditedMinutes(T0, at(60))).not.toContain(minute);
  });

  it("a cell that nothing was promised for is a difference, and with --repair it goes, at every level", async () => {
    await harness.archive([event("a")]);
    await counted();
    await harness.archive([event("b", { eventTimeMs: at(70), videoId: "ghost" })]);
    await counted();
    const { archive, ledger } = harness.stores;
    const [object] = await archive.list(minuteOf(at(70)), minuteOf(at(71)));
    await harness.remove(object!.name);
    await ledger.addObjects([], []);
    harness.sql("DELETE FROM archived_objects WHERE minute = ?", minuteOf(at(70)));
    harness.sql("DELETE FROM partition_ledger WHERE minute = ?", minuteOf(at(70)));
    harness.sql("DELETE FROM minute_marks WHERE minute = ?", minuteOf(at(70)));
    expect(await harness.audit()).toMatchObject({ outcome: "differences", cellsDiffering: 1 });
    expect(await harness.audit({ repair: true })).toMatchObject({ outcome: "repaired" });
    expect([...(await storedCells(harness.stores.counters)).totals.keys()]).toEqual(["total v VIEW"]);
    expect(await harness.audit()).toMatchObject({ outcome: "equal", cellsDiffering: 0 });
  });

  it("of an hour at the edge of the range nothing else is looked at", async () => {
    for (const minute of [0, 10, 20]) await harness.archive([event(`e${minute}`, { eventTimeMs: at(minute) })]);
    expect(await harness.audit({ fromMs: at(5), toMs: at(15) })).toMatchObject({
      events: 1,
      cellsDiffering: 1,
      differences: [{ level: "minute", startMs: at(10) }],
    });
    expect(await harness.audit({ fromMs: at(5), toMs: at(15), repair: true })).toMatchObject({ outcome: "repaired" });
    expect((await storedCells(harness.stores.counters)).minutes.size).toBe(1);
    const audited = await harness.auditedMinutes(T0, at(60));
    expect(audited).toEqual(Array.from({ length: 10 }, (_, n) => minuteOf(at(5)) + n));
  });
});

describe("the work of an audit is in its data", () => {
  it("one event of 1970 and one of today: minutes are marked by the range, in one go", async () => {
    await harness.archive([event("old", { eventTimeMs: 5 * MINUTE_MS })]);
    await harness.archive([event("new")]);
    await counted();
    const began = performance.now();
    expect(await harness.audit({}, () => at(60))).toMatchObject({ outcome: "equal", events: 2, fromMs: 5 * MINUTE_MS });
    // A row a calendar minute took 155 s.
    expect(performance.now() - began).toBeLessThan(15_000);
    const minutes = minuteOf(T0) + 1 - 5;
    const counts = await harness.stores.ledger.auditedCounts(0, minuteOf(at(60)), 2 ** 40);
    expect([...counts.values()]).toEqual([minutes]);
  });
});

describe("minutes that are heavy, or change", () => {
  it("a minute that is divided by its ids is compared and repaired as one", async () => {
    const events = Array.from({ length: 500 }, (_, n) =>
      event(`e${n % 400}`, { videoId: `v${n % 7}`, eventType: n % 3 === 0 ? "VIEW" : "LIKE", value: n }),
    );
    await harness.archive(events.slice(0, 300));
    await harness.archive(events.slice(300));
    await counted();
    const before = await storedCells(harness.stores.counters);
    const distinct = [...before.totals.values()].reduce((sum, { count }) => sum + count, 0);
    expect(await harness.audit({ eventsAUnit: 40 })).toMatchObject({
      ...{
        outcome: "equal",
        events: 500,
        distinctEvents: distinct,
        objectsRead: 2,
        cellsCompared: before.minutes.size,
      },
    });
    rewriteCells(harness.folder, "minute", (cell) => more(cell, "count", 1));
    expect(await harness.audit({ eventsAUnit: 40, repair: true })).toMatchObject({ outcome: "repaired" });
    expect(await storedCells(harness.stores.counters)).toEqual(before);
  });

  /** The counters, with `first` done once before a call of `member`. */
  function meddled(member: "correct" | "levels", first: () => Promise<void>): CounterStore {
    let isDone = false;
    return new Proxy(harness.stores.counters, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        if (name !== member || isDone) return value.bind(target);
        isDone = true;
        return async (...args: unknown[]) => {
          await first();
          return value.apply(target, args);
        };
      },
    });
  }

  it("an event that the stream counts between comparison and correction is not taken away by the correction", async () => {
    await harness.archive([event("a"), event("b")]);
    const counters = meddled("correct", async () => {
      await harness.archive([event("c")]);
      const cells = asMinuteCounts([cell(minuteOf(T0), "v", 3)]);
      await harness.stores.counters.apply(cells, { followCorrections: true });
    });
    expect(await harness.audit({ repair: true }, Date.now, counters)).toMatchObject({ outcome: "repaired" });
    const { totals } = await storedCells(harness.stores.counters);
    expect([...totals.values()].map(({ count }) => count)).toEqual([3]);
    expect(await harness.audit()).toMatchObject({ outcome: "equal" });
    expect(await harness.auditedMinutes(T0, at(1))).toEqual([minuteOf(T0)]);
  });

  it("a mark is void where the minute changed after it was compared", async () => {
    await harness.archive([event("a")]);
    await counted();
    const { ledger } = harness.stores;
    const later = new Proxy(ledger, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        if (name !== "markAudited") return value.bind(target);
        return async (...args: unknown[]) => {
          await harness.archive([event("b")]);
          return value.apply(target, args);
        };
      },
    });
    await harness.audit({ fromMs: T0, toMs: at(2) }, Date.now, harness.stores.counters, later);
    expect(await harness.auditedMinutes(T0, at(2))).toEqual([minuteOf(at(1))]);
  });
});

describe("levels above the minutes", () => {
  beforeEach(async () => {
    for (const minute of [0, 1, 70, 3 * 24 * 60]) {
      await harness.archive([
        event(`a${minute}`, { eventTimeMs: at(minute), value: 5 }),
        event(`b${minute}`, { eventTimeMs: at(minute), videoId: "other" }),
      ]);
    }
    await counted();
  });
  const range = { fromMs: T0, toMs: at(60) };

  it("a damaged minute is one difference, and not one of each level above it", async () => {
    rewriteCells(harness.folder, "minute", (cell) =>
      cell.videoId === "v" && cell.startMs === T0 ? more(cell, "count", 7) : undefined,
    );
    expect(await harness.audit(range)).toMatchObject({ outcome: "differences", cellsDiffering: 1 });
  });

  it("a minute that was audited is audited no longer once an audit finds a difference or a gap, until one mends it", async () => {
    const minute = minuteOf(T0);
    const isAudited = async () => (await harness.auditedMinutes(T0, at(2))).includes(minute);
    await harness.audit(range);
    expect(await isAudited()).toBe(true);
    rewriteCells(harness.folder, "minute", (cell) =>
      cell.videoId === "v" && cell.startMs === T0 ? more(cell, "count", 7) : undefined,
    );
    expect(await harness.audit(range)).toMatchObject({ outcome: "differences" });
    expect(await isAudited()).toBe(false);
    expect(await harness.audit({ ...range, repair: true })).toMatchObject({ outcome: "repaired" });
    expect(await isAudited()).toBe(true);
    const [object] = await harness.stores.archive.list(minute, minute + 1);
    await harness.remove(object!.name);
    expect(await harness.audit({ ...range, repair: true })).toMatchObject({ outcome: "not-comparable" });
    expect(await isAudited()).toBe(false);
  });

  it.each([
    ["hour", "count", T0],
    ["day", "sum", Math.floor(T0 / DAY_MS) * DAY_MS],
    ["total", "valued", 0],
  ] as const)(
    "of a damaged %s the videos that the range touched are found and repaired, of the others none",
    async (level, column, startMs) => {
      const before = await storedCells(harness.stores.counters);
      const damaged = rewriteCells(harness.folder, level, (cell) =>
        cell.videoId === "v" && cell.startMs === startMs ? more(cell, column, 7) : undefined,
      );
      expect(damaged).toBe(1);
      const found = await harness.audit(range);
      expect(found).toMatchObject({ outcome: "differences", cellsDiffering: 1, differences: [{ level }] });
      // A bucket above a minute would be wrong, and its minutes are therefore not marked.
      expect(await harness.auditedMinutes(T0, at(2))).toEqual([]);
      expect(await harness.audit({ ...range, repair: true })).toMatchObject({ outcome: "repaired", cellsDiffering: 1 });
      expect(await storedCells(harness.stores.counters)).toEqual(before);
      expect(await harness.audit(range)).toMatchObject({ outcome: "equal" });
    },
  );

  it("--totals compares every total with its days, whatever range touched it", async () => {
    const before = await storedCells(harness.stores.counters);
    const asked = { ...harness.stores, clock: Date.now };
    expect(await auditTotals(asked, { repair: false })).toMatchObject({ outcome: "equal", cellsCompared: 2 });
    rewriteCells(harness.folder, "total", (cell) => more(cell, "count", 1));
    expect(await auditTotals(asked, { repair: false })).toMatchObject({ outcome: "differences", cellsDiffering: 2 });
    expect(await auditTotals(asked, { repair: true })).toMatchObject({ outcome: "repaired", cellsRepaired: 2 });
    expect(await storedCells(harness.stores.counters)).toEqual(before);
    expect((await harness.stores.ledger.audits(1))[0]).toMatchObject({ totals: true, outcome: "repaired" });
  });
});

describe("reused ids", () => {
  it("are found over the whole range, with the id, where and how often", async () => {
    await harness.archive([
      event("once"),
      event("twice in a minute"),
      event("twice in a minute", { eventType: "LIKE" }),
    ]);
    for (const day of [0, 1, 9]) {
      await harness.archive([event("every day", { eventTimeMs: T0 + day * DAY_MS + 2 * HOUR_MS, videoId: `v${day}` })]);
    }
    await counted();
    const { reusedEventIds, reusedIds } = await harness.audit();
    expect(reusedEventIds).toBe(3);
    expect(reusedIds).toEqual([
      {
        eventId: "every day",
        times: 3,
        places: [0, 1, 9].map((day) => ({
          ...{ minute: minuteOf(T0 + day * DAY_MS + 2 * HOUR_MS), videoId: `v${day}`, eventType: "VIEW" },
        })),
      },
      {
        eventId: "twice in a minute",
        times: 2,
        places: ["VIEW", "LIKE"].map((eventType) => ({ minute: minuteOf(T0), videoId: "v", eventType })),
      },
    ]);
  });
});
