// SPDX-License-Identifier: Apache-2.0
/**
 * Cells that leave the store, over real stores: a range over tiers equals the range before, and audits take account of
 * it.
 */
import fc from "fast-check";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { allCells, eventOf, OLD, someEvents, VIDEOS, YOUNG } from "./tier-events";
import type { TierHarness } from "./tier-harness";

interface TiersUnderTest {
  /** New and empty. */
  open(): Promise<TierHarness>;
  /** Deletes the hours 2026-10-20T00 or the days 2026-10-20, all or some; returns what puts them back. */
  takeAway(harness: TierHarness, level: "hour" | "day"): Promise<() => Promise<void>>;
  runs: number;
}

export function tierContract(name: string, { open, takeAway, runs }: TiersUnderTest): void {
  async function withHarness(work: (harness: TierHarness) => Promise<void>): Promise<void> {
    const harness = await open();
    try {
      await work(harness);
    } finally {
      await harness.close();
    }
  }

  describe(`tiers: ${name}`, () => {
    it("a range over tiers is the range before, cell by cell; late events of rolled minutes count once", async () => {
      await fc.assert(
        fc.asyncProperty(someEvents(40), someEvents(6), async (events, late) =>
          withHarness(async (harness) => {
            await harness.count(events);
            expect((await harness.audit()).outcome).toBe("equal");
            const before = await allCells(harness);
            await harness.tier();
            expect(await allCells(harness)).toEqual(before);
            expect((await harness.audit()).outcome).toBe("equal");

            await harness.archive(late, harness.nowMs);
            expect((await harness.audit()).outcome).toBe("repaired");
            const withLate = await allCells(harness);
            const counted = async () => {
              let sum = 0;
              for (const video of VIDEOS) {
                for (const { count } of (await harness.counters.totals(video)).values()) sum += count;
              }
              return sum;
            };
            expect(await counted()).toBe(events.length + late.length);
            expect((await harness.audit()).outcome).toBe("equal");

            // A repeat of a late event may still arrive, so its minutes stay beside the roll-ups until no repeat can.
            await harness.tier();
            expect(await allCells(harness)).toEqual(withLate);
            harness.nowMs += 200 * DAY_MS;
            await harness.tier();
            expect(await allCells(harness)).toEqual(withLate);
            expect((await harness.audit()).outcome).toBe("equal");
            const { rollUps } = await harness.tiers.tiers();
            expect(new Set(rollUps.map(({ level }) => level))).toEqual(new Set(["minute", "hour"]));
          }),
        ),
        { numRuns: runs },
      );
    }, 60_000);

    it("hours that are in roll-ups and not yet deleted are listed once", async () => {
      await withHarness(async (harness) => {
        await harness.count(fc.sample(someEvents(30), { numRuns: 1, seed: 11 })[0]!);
        await harness.audit();
        harness.nowMs += 60 * DAY_MS;
        await harness.tier();
        const listed = async () => {
          const counts = new Map<string, number>();
          const range = ["hour", OLD, YOUNG + DAY_MS] as const;
          for (const cells of [harness.counters.derivedCells(...range), harness.counters.rolledCells(...range)]) {
            for await (const { videoId, eventType, startMs, count } of cells) {
              const name = `${videoId} ${eventType} ${startMs}`;
              counts.set(name, (counts.get(name) ?? 0) + count);
            }
          }
          return new Map([...counts].filter(([, count]) => count > 0).sort());
        };
        const before = await listed();
        expect(before.size).toBeGreaterThan(3);
        harness.nowMs += 60 * DAY_MS;
        const stop = new Error("the process stops");
        const stopped = (made: string) => {
          if (made === "committed") throw stop;
        };
        await expect(harness.tier(stopped)).rejects.toBe(stop);
        expect((await harness.tiers.tiers()).rollUps.some(({ level }) => level === "hour")).toBe(true);
        expect(await listed()).toEqual(before);
        await harness.reopen();
        await harness.tier();
        expect(await listed()).toEqual(before);
      });
    });

    it("nothing leaves for a file that is not what was written; the next run writes it again", async () => {
      await withHarness(async (harness) => {
        await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 1, 0, 4]), eventOf([0, 70, 1, 1, undefined])]);
        await harness.audit();
        const before = await allCells(harness);
        const objects = await harness.stores.archive.minutes(0, YOUNG / MINUTE_MS);
        const { rollUps } = harness;
        const damaged = (content: Uint8Array) => Uint8Array.from(content, (byte, at) => (at === 9 ? byte ^ 1 : byte));
        for (const [error, write] of [
          [/other bytes/, (name: string, content: Uint8Array) => rollUps.write(name, damaged(content))],
          [/is not there/, async (name: string) => rollUps.remove(name)],
        ] as const) {
          const open = rollUps.open.bind(rollUps);
          harness.rollUps = { write, open, remove: rollUps.remove.bind(rollUps), names: rollUps.names.bind(rollUps) };
          await expect(harness.tier()).rejects.toThrow(error);
          expect(await allCells(harness)).toEqual(before);
          expect((await harness.tiers.tiers()).rollUps).toEqual([]);
          expect(await harness.stores.archive.minutes(0, YOUNG / MINUTE_MS)).toEqual(objects);
        }
        harness.rollUps = rollUps;
        expect(await harness.tier()).toMatchObject([{ outcome: "rolled-up" }]);
        expect(await allCells(harness)).toEqual(before);
      });
    });

    it("what is not audited, or changes, stays; a write to what is being rolled up is refused", async () => {
      await withHarness(async (harness) => {
        const event = eventOf([0, 5, 0, 0, 3]);
        await harness.count([event]);
        expect(await harness.tier()).toMatchObject([{ outcome: "not-audited" }]);
        await harness.audit();
        let refusal: unknown;
        await harness.tier(async (step) => {
          if (step !== "frozen") return;
          refusal = await harness.count([eventOf([0, 5, 1, 0, 3])]).catch((error: unknown) => error);
        });
        expect(refusal).toMatchObject({ name: "StoreUnavailableError", message: expect.stringMatching(/rolled up/) });
      });
    });

    it("an audit finds a damaged roll-up, and never repairs an hour down to what is left below it", async () => {
      await withHarness(async (harness) => {
        await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 0, 0, 4]), eventOf([0, 70, 1, 1, undefined])]);
        await harness.audit();
        const before = await allCells(harness);
        await harness.tier();
        const putBack = await takeAway(harness, "hour");
        const report = await harness.audit();
        expect(report.outcome).toBe("differences");
        expect(report.differences.map(({ level }) => level)).toContain("hour");
        await putBack();
        expect(await allCells(harness)).toEqual(before);
        expect((await harness.audit()).outcome).toBe("equal");

        const [name] = await harness.rollUps.names("minute/date=2026-10-20");
        const bytes = new Uint8Array(await (await harness.rollUps.open(name!))!.slice(0));
        bytes[10] = bytes[10]! ^ 1;
        await harness.rollUps.write(name!, bytes);
        await harness.reopen();
        const damaged = await harness.audit();
        expect(damaged.outcome).toBe("not-comparable");
        expect(damaged.notComparable[0]!.reason).toMatch(/damaged/);
      });
    });

    it("days over rolled hours are compared, and never repaired down; the daily check looks at every file", async () => {
      await withHarness(async (harness) => {
        await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 0, 0, 4]), eventOf([0, 70, 1, 1, undefined])]);
        await harness.audit();
        await harness.tier();
        harness.nowMs += 200 * DAY_MS;
        await harness.tier();
        const { rollUps } = await harness.tiers.tiers();
        expect(new Set(rollUps.map(({ level }) => level))).toEqual(new Set(["minute", "hour"]));
        // Hours: two of a, and one of b/c. Days: one of each.
        expect(await harness.audit()).toMatchObject({ outcome: "equal", cellsCompared: 5 });
        expect(await harness.auditTotals()).toMatchObject({ outcome: "equal", cellsCompared: 7 });

        const before = await allCells(harness);
        const putBack = await takeAway(harness, "day");
        for (const audit of [() => harness.auditTotals(), () => harness.audit()]) {
          const report = await audit();
          expect(report).toMatchObject({ outcome: "differences", cellsRepaired: 0 });
          const { level, videoId, archiveCount, storedCount } = report.differences[0]!;
          expect({ level, videoId, archiveCount, storedCount }).toEqual({
            ...{ level: "day", videoId: "a", archiveCount: 2, storedCount: 0 },
          });
        }
        await putBack();
        expect(await allCells(harness)).toEqual(before);
        expect((await harness.auditTotals()).outcome).toBe("equal");

        for (const { name, fromMs } of rollUps) {
          const bytes = new Uint8Array(await (await harness.rollUps.open(name))!.slice(0));
          const damages = [
            [/damaged/, () => harness.rollUps.write(name, bytes.with(10, bytes[10]! ^ 1))],
            [/missing/, () => harness.rollUps.remove(name)],
          ] as const;
          for (const [reason, damage] of damages) {
            await damage();
            await harness.reopen();
            const report = await harness.auditTotals();
            expect(report).toMatchObject({ outcome: "not-comparable", cellsRepaired: 0 });
            expect(report.notComparable).toEqual([
              { minute: fromMs / MINUTE_MS, reason: expect.stringMatching(reason) },
            ]);
            expect(report.notComparable[0]!.reason).toContain(name);
          }
          await harness.rollUps.write(name, bytes);
        }
        expect((await harness.auditTotals()).outcome).toBe("equal");
      });
    });
  });
}
