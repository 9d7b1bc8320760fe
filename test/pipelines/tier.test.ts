// SPDX-License-Identifier: Apache-2.0
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { dueDays } from "../../domain/rules/roll-up-turns";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { checkRollUps } from "../../pipelines/audit/check-roll-ups";
import { asMinuteCounts, type ModelCell } from "../io/ports/counter-model";
import { addPhantom, rewriteCells } from "../io/ports/rewrite-cells";
import { tierContract } from "./tier-contract";
import { eventOf, OLD } from "./tier-events";
import { TierHarness } from "./tier-harness";

tierContract("SQLite and a folder", {
  open: () => TierHarness.open(),
  runs: 3,
  takeAway: async ({ folder }, level) => {
    const db = new DatabaseSync(join(folder, "counters.sqlite"));
    const row = db.prepare(`SELECT id, cells FROM ${level}_blocks ORDER BY id LIMIT 1`).get()!;
    db.prepare(`DELETE FROM ${level}_blocks WHERE id = ?`).run(row.id!);
    return async () => {
      db.prepare(`INSERT INTO ${level}_blocks VALUES (?, ?)`).run(row.id!, row.cells!);
      db.close();
    };
  },
});

describe("tiers of one machine", () => {
  it("a day that is more than its rolled hours is found, and one without any hour", async () => {
    const harness = await TierHarness.open();
    try {
      await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([1, 65, 1, 0, 4])]);
      await harness.audit();
      await harness.tier();
      harness.nowMs += 200 * DAY_MS;
      await harness.tier();
      expect(await harness.audit()).toMatchObject({ outcome: "equal", cellsCompared: 4 });
      rewriteCells(harness.folder, "day", (cell) => {
        if (cell.startMs === OLD) cell.count += 5;
        return undefined;
      });
      addPhantom(harness.folder, OLD / DAY_MS, { videoId: "b/c", eventType: "VIEW" }, 7, 0, "day");
      const wrong = [
        { level: "day", startMs: OLD, videoId: "a", archiveCount: 1, storedCount: 6 },
        { level: "day", startMs: OLD, videoId: "b/c", archiveCount: 0, storedCount: 7 },
      ];
      const named = ({ differences }: Awaited<ReturnType<typeof harness.audit>>) =>
        differences.filter(({ level }) => level === "day").sort((a, b) => (a.videoId < b.videoId ? -1 : 1));
      for (const report of [await harness.audit(true, OLD, OLD + DAY_MS), await harness.auditTotals(true)]) {
        expect(report).toMatchObject({ outcome: "differences", cellsRepaired: 0 });
        expect(named(report)).toMatchObject(wrong);
      }
      expect((await harness.counters.totals("a")).get("VIEW")).toMatchObject({ count: 1 });
    } finally {
      await harness.close();
    }
  });

  it("an audit of a stored day ends where the file of its month's hours is damaged, and names the file", async () => {
    const harness = await TierHarness.open();
    try {
      await harness.count([eventOf([0, 5, 0, 0, 3])]);
      await harness.audit();
      await harness.tier();
      harness.nowMs += 200 * DAY_MS;
      await harness.tier();
      await harness.archive([eventOf([1, 65, 1, 0, 4])], harness.nowMs);
      const file = (await harness.tiers.tiers()).rollUps.find(({ level }) => level === "hour")!;
      await harness.rollUps.remove(file.name);
      const report = await harness.audit(true, OLD + DAY_MS, OLD + 2 * DAY_MS);
      expect(report.outcome).toBe("not-comparable");
      expect(report.notComparable.map(({ reason }) => reason)).toContain(`the roll-up ${file.name} is missing`);
    } finally {
      await harness.close();
    }
  });

  it("of large roll-ups a part is read each day, and a missing one is noticed at once", async () => {
    const harness = await TierHarness.open();
    try {
      await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([1, 65, 1, 0, 4])]);
      await harness.audit();
      await harness.tier();
      const { rollUps } = await harness.tiers.tiers();
      const { name, fromMs } = rollUps[0]!;
      const bytes = new Uint8Array(await (await harness.rollUps.open(name))!.slice(0));
      const look = async (afterDays: number) => {
        const nowMs = fromMs + (70 + afterDays) * DAY_MS;
        const found = await checkRollUps(harness.counters, { nowMs, lastMs: nowMs, allBytes: 0 });
        return found.notComparable.map(({ reason }) => reason);
      };
      await harness.rollUps.write(name, bytes.with(10, bytes[10]! ^ 1));
      expect(await look(0)).toEqual([expect.stringContaining(name)]);
      expect(await look(1)).toEqual([]);
      await harness.rollUps.remove(name);
      expect(await look(1)).toEqual([expect.stringContaining(name)]);
    } finally {
      await harness.close();
    }
  });

  it("whenever the checks run, every day is due within a round and the pause before it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 * DAY_MS }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: -10, max: 20_000 }),
        (pauses, day) => {
          let lastMs: number | undefined;
          let seenMs: number | undefined;
          let nowMs = Date.UTC(2026, 10, 30);
          for (const pauseMs of pauses) {
            nowMs += pauseMs;
            if (dueDays(nowMs, lastMs)(day)) seenMs = nowMs;
            expect(nowMs - seenMs!).toBeLessThan(8 * DAY_MS + pauseMs);
            lastMs = nowMs;
          }
        },
      ),
    );
  });

  it("the file of the store shrinks when cells leave it", async () => {
    const harness = await TierHarness.open();
    try {
      const from = OLD / MINUTE_MS;
      const cells: ModelCell[] = [];
      for (let n = 0; n < 30 * 200; n++) {
        const place = { minute: from + Math.floor(n / 200), video: `v${(n % 200) * 64}`, type: "VIEW" };
        cells.push({ ...place, count: 1 + (n % 7), sum: 0n, valued: 0, last: 5, correction: 0 });
      }
      await harness.stores.counters.apply(asMinuteCounts(cells), { finalBeforeMinute: from + 1440 });
      const range = { fromMinute: from, toMinute: from + 1440 };
      await harness.stores.ledger.markAudited({ ...range, sequences: new Map(), except: [] });
      const sizeBytes = () => {
        const db = new DatabaseSync(join(harness.folder, "counters.sqlite"));
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        db.close();
        return statSync(join(harness.folder, "counters.sqlite")).size;
      };
      const full = sizeBytes();
      await harness.tier(undefined, 100_000);
      expect(sizeBytes()).toBeLessThan(full);
    } finally {
      await harness.close();
    }
  });
});
