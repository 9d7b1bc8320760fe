// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { type IdPart, MinuteRecount, type Origin, type RecountedCell } from "../../transforms/minute-recount";
import { columnsOf, meetingEvent, modelCells, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { event } from "./elements";

const MINUTE = minuteOf(T0);
/** Events of one minute that meet each other, as objects of the archive. */
const objects = fc
  .array(fc.array(meetingEvent, { minLength: 1, maxLength: 30 }), { maxLength: 5 })
  .map((all) =>
    all.map((events) => events.map((each) => ({ ...each, eventTimeMs: T0 + (each.eventTimeMs % MINUTE_MS) }))),
  );

function recounted(all: readonly VideoEvent[][], ofIds?: IdPart, lateAfterMs = -1, receivedAtMs = T0): MinuteRecount {
  const recount = new MinuteRecount(MINUTE, ofIds);
  for (const events of all) {
    const read = recount.addObject(archiveObject("w.avro", columnsOf(events), receivedAtMs), { lateAfterMs });
    expect(read).toBe(events.length);
  }
  return recount;
}

const asModel = (cells: Iterable<RecountedCell>) =>
  new Map(
    [...cells].map(({ videoId, eventType, count, sum, valued, lastMsInMinute }) => [
      `${MINUTE} ${videoId} ${eventType}`,
      { count, sum, valued, lastMs: lastMsInMinute },
    ]),
  );

test("a recount has exactly the cells of the model", () => {
  fc.assert(
    fc.property(objects, fc.integer(), (all, seed) => {
      const recount = recounted(all, { part: 0, of: 1, seed });
      expect(asModel(recount.cells())).toEqual(modelCells(all.flat()));
      expect(recount.totals().events).toBe(all.flat().length);
    }),
    { numRuns: 300 },
  );
});

test("the parts of a minute add up to it, however many they are: an id is in one part", () => {
  fc.assert(
    fc.property(objects, fc.integer(), fc.integer({ min: 2, max: 7 }), (all, seed, of) => {
      const sums = new Map<string, { count: number; sum: bigint; valued: number; lastMs: number }>();
      let [events, distinct] = [0, 0];
      for (let part = 0; part < of; part++) {
        const recount = recounted(all, { part, of, seed });
        events += recount.totals().events;
        distinct += recount.totals().distinct;
        for (const [name, cell] of asModel(recount.cells())) {
          const sum = sums.get(name) ?? { count: 0, sum: 0n, valued: 0, lastMs: 0 };
          sum.count += cell.count;
          sum.sum += cell.sum;
          sum.valued += cell.valued;
          sum.lastMs = Math.max(sum.lastMs, cell.lastMs);
          sums.set(name, sum);
        }
      }
      const model = modelCells(all.flat());
      expect(sums).toEqual(model);
      expect(events).toBe(all.flat().length);
      expect(distinct).toBe([...model.values()].reduce((sum, { count }) => sum + count, 0));
    }),
    { numRuns: 100 },
  );
});

test("of what the stream sets aside, one event is counted where no repeat of it came in time", () => {
  const recount = new MinuteRecount(MINUTE);
  const add = (events: VideoEvent[], receivedAtMs: number, origin: Origin = { lateAfterMs: 1_000 }) =>
    recount.addObject(archiveObject("w.avro", columnsOf(events), receivedAtMs), origin);
  add([event("in time"), event("in time"), event("repeated late")], T0);
  add([event("repeated late"), event("late"), event("late"), event("late", { eventType: "LIKE" })], T0 + 5_000);
  add([event("backfilled"), event("backfilled"), event("late"), event("in time")], T0, "backfill");
  expect(recount.totals()).toEqual({
    ...{ events: 11, distinct: 5, lateCounted: 2, lateDuplicate: 2, backfillCounted: 1, backfillDuplicate: 3 },
  });
  expect(asModel(recount.cells()).get(`${MINUTE} v VIEW`)?.count).toBe(4);
});

test("ids are told apart by all their bytes: a hundred thousand that share a prefix, in a table that grows", () => {
  const events = Array.from({ length: 100_000 }, (_, n) => event(`event-${n}`, { value: n }));
  const recount = recounted([events, events.slice(0, 1_000)]);
  expect(recount.totals()).toMatchObject({ events: 101_000, distinct: 100_000 });
  expect(recount.cells()).toMatchObject([{ count: 100_000, valued: 100_000, sum: 4_999_950_000n }]);
});

test("sums stay exact beyond 2^53, up and down", () => {
  const most = Number.MAX_SAFE_INTEGER;
  const events = Array.from({ length: 50 }, (_, n) => event(`e${n}`, { value: n % 5 === 0 ? -most : most }));
  const cell = recounted([events]).cells()[0]!;
  expect(cell.sum).toBe(30n * BigInt(most));
});

test("an event of another minute is refused", () => {
  expect(() => recounted([[event("a", { eventTimeMs: T0 + MINUTE_MS })]])).toThrow("another minute");
});
