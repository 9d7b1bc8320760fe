// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { decodeCells, type RecountedCell } from "../../transforms/cell-columns";
import { hashOfId } from "../../transforms/id-words";
import { type IdPart, MinuteRecount, type Origin } from "../../transforms/minute-recount";
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

/** The cells of all parts of the videos, which are chosen by the length of the name. */
const cellsOf = (recount: MinuteRecount, parts = 1): RecountedCell[] =>
  [...recount.cells(parts, ({ length }) => length % parts).values()].flatMap((columns) => [...decodeCells(columns)]);

const asModel = (cells: Iterable<RecountedCell>) =>
  new Map(
    [...cells].map(({ videoId, eventType, count, sum, valued, lastMsInMinute }) => [
      `${MINUTE} ${videoId} ${eventType}`,
      { count, sum, valued, lastMs: lastMsInMinute },
    ]),
  );

test("a recount has exactly the cells of the model", () => {
  fc.assert(
    fc.property(objects, fc.integer(), fc.integer({ min: 1, max: 3 }), (all, seed, parts) => {
      const recount = recounted(all, { part: 0, of: 1, seed });
      expect(asModel(cellsOf(recount, parts))).toEqual(modelCells(all.flat()));
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
        for (const [name, cell] of asModel(cellsOf(recount))) {
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
  add(
    [event("repeated late"), event("late"), event("late"), event("late", { eventType: "LIKE" }), event("late first")],
    T0 + 5_000,
  );
  add([event("late first")], T0);
  add([event("backfilled"), event("backfilled"), event("late"), event("in time")], T0, "backfill");
  expect(recount.totals()).toEqual({
    ...{ events: 13, distinct: 6, lateCounted: 2, lateDuplicate: 3, backfillCounted: 1, backfillDuplicate: 3 },
  });
  expect(asModel(cellsOf(recount)).get(`${MINUTE} v VIEW`)?.count).toBe(5);
});

test("ids are told apart by all their bytes: a hundred thousand that share a prefix, in a table that grows", () => {
  const events = Array.from({ length: 100_000 }, (_, n) => event(`event-${n}`, { value: n }));
  const recount = recounted([events, events.slice(0, 1_000)]);
  expect(recount.totals()).toMatchObject({ events: 101_000, distinct: 100_000 });
  expect(cellsOf(recount)).toMatchObject([{ count: 100_000, valued: 100_000, sum: 4_999_950_000n }]);
});

test("sums stay exact beyond 2^53, up and down", () => {
  const most = Number.MAX_SAFE_INTEGER;
  const events = Array.from({ length: 50 }, (_, n) => event(`e${n}`, { value: n % 5 === 0 ? -most : most }));
  const cell = cellsOf(recounted([events]))[0]!;
  expect(cell.sum).toBe(30n * BigInt(most));
});

test("an event of another minute is refused", () => {
  expect(() => recounted([[event("a", { eventTimeMs: T0 + MINUTE_MS })]])).toThrow("another minute");
});

test("ids that differ in one character are told apart, whether they are UUIDs or only look like ones", () => {
  const uuid = "0192d5a0-7c3e-7abc-8def-0123456789af";
  const changed = [...uuid].flatMap((_, at) =>
    [..."09afgAF-:`/"].map((character) => `${uuid.slice(0, at)}${character}${uuid.slice(at + 1)}`),
  );
  const ids = [...new Set([uuid, ...changed, uuid.toUpperCase(), `${uuid}0`, uuid.slice(1), uuid.replaceAll("-", "")])];
  const recount = recounted([ids.map((eventId) => event(eventId)), [event(uuid)]]);
  expect(recount.totals()).toMatchObject({ events: ids.length + 1, distinct: ids.length });
  expect(cellsOf(recount)).toMatchObject([{ count: ids.length }]);
});

test("many UUIDs, in more than one bucket: of repeats the largest value counts, and each event has its id's hashes", () => {
  const ids = Array.from({ length: 30_000 }, (_, n) => `0192d5a0-7c3e-7abc-8def-${n.toString(16).padStart(12, "0")}`);
  const first = ids.map((eventId, n) => event(eventId, n % 3 === 0 ? {} : { value: n }));
  const again = ids.slice(0, 9_000).map((eventId, n) => event(eventId, { value: n % 2 === 0 ? n + 1 : n - 1 }));
  const liked = ids.slice(0, 500).map((eventId) => event(eventId, { eventType: "LIKE" }));
  const recount = recounted([first, again, liked]);
  expect(asModel(cellsOf(recount))).toEqual(modelCells([...first, ...again, ...liked]));
  expect(recount.totals()).toMatchObject({ events: 39_500, distinct: 30_500 });
  const hashes = new Map<string, number>();
  recount.eachIdHash([3, 4], (a, b) => hashes.set(`${a} ${b}`, (hashes.get(`${a} ${b}`) ?? 0) + 1));
  const [known, other] = [ids[0]!, "other"].map((id) => Buffer.from(id));
  const hashOf = (id: Buffer) => `${hashOfId(id, 0, id.length, 3)} ${hashOfId(id, 0, id.length, 4)}`;
  expect([hashes.size, hashes.get(hashOf(known!)), hashes.get(hashOf(other!))]).toEqual([30_000, 2, undefined]);
});
