// SPDX-License-Identifier: Apache-2.0
/** The contract of every ReceiptStamps. */
import * as fc from "fast-check";
import { type ReceiptStamps, STAMP_MEMORY_MS, type Stamp } from "../../../io/ports";

interface ReceiptStampsUnderTest {
  /** Over the same store at every call of one test, as another instance of the write API opens it. */
  open(): Promise<ReceiptStamps>;
  /** The number of random schedules, and of stamps in one call, for this adapter's speed. */
  numRuns: number;
  manyStamps: number;
}

const NOW_MS = Math.floor(Date.now() / 60_000) * 60_000;
const keyOf = (event: string): string => `${event}\0v\0VIEW`;
const stamp = (event: string, stampedAtMs: number): Stamp => ({ key: keyOf(event), stampedAtMs });

export function receiptStampsContract(describeName: string, subject: ReceiptStampsUnderTest): void {
  describe(`${describeName} keeps the contract of ReceiptStamps`, () => {
    const opened: ReceiptStamps[] = [];
    const open = async () => {
      const stamps = await subject.open();
      opened.push(stamps);
      return stamps;
    };
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((stamps) => stamps.close()));
    });
    const timesOf = async (stamps: ReceiptStamps, proposed: Stamp[]) => {
      const held = await stamps.hold(proposed);
      expect(held.map(({ key }) => key)).toEqual(proposed.map(({ key }) => key));
      return held.map(({ stampedAtMs }) => stampedAtMs - NOW_MS);
    };

    it("gives a new key the proposed stamp, and a retry within ten minutes the same, from any instance", async () => {
      const [one, other] = [await open(), await open()];
      expect(await timesOf(one, [stamp("a", NOW_MS), stamp("b", NOW_MS)])).toEqual([0, 0]);
      expect(await timesOf(other, [stamp("c", NOW_MS + 5), stamp("a", NOW_MS + 5)])).toEqual([5, 0]);
      const last = NOW_MS + STAMP_MEMORY_MS - 1;
      expect(await timesOf(one, [stamp("a", last)])).toEqual([0]);
      expect(await timesOf(other, [stamp("a", last + 1)])).toEqual([STAMP_MEMORY_MS]);
      expect(await timesOf(one, [stamp("a", last + 1_000), stamp("b", last)])).toEqual([STAMP_MEMORY_MS, 0]);
    });

    it("keeps a stamp for a clock that is behind", async () => {
      const stamps = await open();
      await stamps.hold([stamp("a", NOW_MS)]);
      expect(await timesOf(stamps, [stamp("a", NOW_MS - 90_000)])).toEqual([0]);
    });

    it("keeps stamps over a restart", async () => {
      const before = await subject.open();
      await before.hold([stamp("a", NOW_MS)]);
      await before.close();
      expect(await timesOf(await open(), [stamp("a", NOW_MS + 60_000)])).toEqual([0]);
    });

    it("answers all calls at the same time with one stamp a key", async () => {
      const instances = [await open(), await open(), await open()];
      const events = Array.from({ length: 20 }, (_, n) => `event ${n}`);
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, call) =>
          timesOf(
            instances[call % instances.length]!,
            events.map((event) => stamp(event, NOW_MS + call)),
          ),
        ),
      );
      for (const n of events.keys()) expect(new Set(answers.map((times) => times[n])).size).toBe(1);
    });

    it("takes the stamps of a large request, and none", async () => {
      const stamps = await open();
      const proposed = Array.from({ length: subject.manyStamps }, (_, n) =>
        stamp(`event ${n}`.padEnd(128, "x"), NOW_MS + n),
      );
      expect(await stamps.hold(proposed)).toEqual(proposed);
      const later = proposed.map(({ key, stampedAtMs }) => ({ key, stampedAtMs: stampedAtMs + 60_000 }));
      expect(await stamps.hold(later)).toEqual(proposed);
      expect(await stamps.hold([])).toEqual([]);
    }, 60_000);

    it("does as a list of stamps would, whoever asks when", async () => {
      const ask = fc.record({
        instance: fc.nat(2),
        events: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 }),
        // The clock moves on, sometimes far, and may step back.
        stepMs: fc.oneof(
          fc.integer({ min: -30_000, max: 120_000 }),
          fc.constantFrom(STAMP_MEMORY_MS, STAMP_MEMORY_MS - 1),
        ),
      });
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(ask, { maxLength: 12 }), async (asks) => {
          const prefix = `run ${run++} `;
          const instances = [await subject.open(), await subject.open(), await subject.open()];
          const model = new Map<string, number>();
          let nowMs = NOW_MS;
          for (const { instance, events, stepMs } of asks) {
            nowMs += stepMs;
            for (const event of events) {
              if (nowMs - (model.get(event) ?? -Infinity) >= STAMP_MEMORY_MS) model.set(event, nowMs);
            }
            const proposed = events.map((event) => stamp(prefix + event, nowMs));
            const expected = events.map((event) => model.get(event)! - NOW_MS);
            expect(await timesOf(instances[instance]!, proposed)).toEqual(expected);
          }
          await Promise.all(instances.map((each) => each.close()));
        }),
        { numRuns: subject.numRuns },
      );
    }, 60_000);
  });
}
