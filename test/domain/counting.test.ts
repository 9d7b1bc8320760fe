// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { BlockPartitioner, type SealedBlock } from "../../domain/columns/block-partitioner";
import { CountsBuilder, MAX_CELLS, openCounts, packPane } from "../../domain/columns/count-block";
import { MAX_BLOCK_BYTES, openBlock } from "../../domain/columns/event-block";
import { type EventColumns, EventColumnsBuilder } from "../../domain/columns/event-columns";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { MAX_PANE_EVENTS, Pane } from "../../domain/columns/pane";
import { firePane } from "../../domain/columns/pane-counts";
import { PaneNames } from "../../domain/columns/pane-names";
import { RowPartitioner } from "../../domain/columns/row-partitioner";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { NO_LATENESS } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import {
  cellsOf,
  columnsOf,
  type ModelCell,
  type ModelCells,
  meetingEvent,
  modelCells,
  modelReusedIds,
  T0,
} from "./model";

const seed = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

/** Bytes at an address that is aligned to nothing, in a Buffer, as a decoder or a network gives them. */
function misaligned(bytes: Uint8Array): Buffer {
  const buffer = Buffer.alloc(bytes.length + 8, 0xff).subarray(3, 3 + bytes.length);
  buffer.set(bytes);
  return buffer;
}

function panesOf(blocks: readonly SealedBlock[]): Map<string, { minute: number; pane: Pane }> {
  const panes = new Map<string, { minute: number; pane: Pane }>();
  for (const { minute, partition, count, bytes } of blocks) {
    const kept = panes.get(`${minute} ${partition}`) ?? { minute, pane: new Pane(seed) };
    panes.set(`${minute} ${partition}`, kept);
    const block = openBlock(misaligned(bytes));
    expect(block.count).toBe(count);
    kept.pane.addBlock(block);
  }
  return panes;
}

/** Partition, deduplicate, shard and sum, as the transforms do. */
function count(batches: readonly EventColumns[], partitions: number, shards: number) {
  const partitioner = new BlockPartitioner(partitions, NO_LATENESS, seed);
  for (const columns of batches) partitioner.add({ ...columns, ids: misaligned(columns.ids) }, T0);
  const panes = panesOf(partitioner.finish());
  const sums = new Map<string, { minute: number; builder: CountsBuilder }>();
  const totals = { received: 0, distinct: 0, reusedIds: 0 };
  const reusedByShard = new Map<string, number>();
  for (const { minute, pane } of panes.values()) {
    totals.received += pane.received;
    totals.distinct += pane.distinct;
    totals.reusedIds += pane.reusedIds;
    for (const { shard, bytes, reusedIds } of packPane(pane, shards)) {
      reusedByShard.set(`${minute} ${shard}`, (reusedByShard.get(`${minute} ${shard}`) ?? 0) + reusedIds);
      const sum = sums.get(`${minute} ${shard}`) ?? { minute, builder: new CountsBuilder(seed) };
      sums.set(`${minute} ${shard}`, sum);
      sum.builder.add(openCounts(misaligned(bytes), minute));
    }
  }
  const counts: MinuteCounts[] = [];
  for (const { minute, builder } of sums.values()) counts.push(...builder.build(minute));
  return { counts, reusedByShard, ...totals };
}

/**
 * The same where dedup and sums are in one process: rows stay where they are, panes share names and split after a few
 * events.
 */
function countInProcess(batches: readonly EventColumns[], partitions: number, shards: number, splitEvents: number) {
  const partitioner = new RowPartitioner(partitions, NO_LATENESS);
  for (const columns of batches) partitioner.add({ ...columns, ids: misaligned(columns.ids) }, T0);
  const names = new PaneNames(seed);
  const sums = new Map<string, { minute: number; builder: CountsBuilder }>();
  const totals = { received: 0, distinct: 0, reusedIds: 0, ofShards: { received: 0, counted: 0, reusedIds: 0 } };
  for (const { minute, batches: rows } of partitioner.finish()) {
    const pane = new Pane(seed, names, splitEvents);
    for (const each of rows) pane.addRows(each, minute);
    totals.received += pane.received;
    totals.distinct += pane.distinct;
    totals.reusedIds += pane.reusedIds;
    for (const { shard, chunks, received, counted, reusedIds } of firePane(pane, minute, shards, true)) {
      totals.ofShards.received += received;
      totals.ofShards.counted += counted;
      totals.ofShards.reusedIds += reusedIds;
      const sum = sums.get(`${minute} ${shard}`) ?? { minute, builder: new CountsBuilder(seed) };
      sums.set(`${minute} ${shard}`, sum);
      for (const chunk of chunks) sum.builder.add(chunk);
    }
  }
  const counts = [...sums.values()].flatMap(({ minute, builder }) => [...builder.build(minute)]);
  return { counts, ...totals };
}

test("rows that stay where they are count what Sets and Maps count, whatever tables their ids are spread over", () => {
  const spread = fc.record({
    partitions: fc.integer({ min: 1, max: 5 }),
    shards: fc.integer({ min: 1, max: 4 }),
    splitEvents: fc.constantFrom(0, 1, 3, 10, 1000),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(meetingEvent, { maxLength: 60 }), { maxLength: 5 }),
      spread,
      (batches, { partitions, shards, splitEvents }) => {
        const events = batches.flat();
        const counted = countInProcess(batches.map(columnsOf), partitions, shards, splitEvents);
        const cells = modelCells(events);
        const totals = {
          received: events.length,
          distinct: [...cells.values()].reduce((sum, cell) => sum + cell.count, 0),
          reusedIds: modelReusedIds(events),
        };
        const { received, distinct, reusedIds } = totals;
        expect(cellsOf(counted.counts)).toEqual(cells);
        expect(counted).toMatchObject({ ...totals, ofShards: { received, counted: distinct, reusedIds } });
      },
    ),
    { numRuns: 300 },
  );
});

test("panes that take turns, with firings between, give each changed cell and no other", () => {
  const step = fc.record({ events: fc.array(meetingEvent, { maxLength: 12 }), fires: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(0, 2, 1000), (steps, splitEvents) => {
      const names = new PaneNames(seed);
      const panes = new Map<number, Pane>();
      const received = new Map<number, VideoEvent[]>();
      const fired = new Map<string, ModelCell>();
      const touched = new Set<string>();
      for (const { events, fires } of [...steps, { events: [], fires: true }]) {
        const partitioner = new RowPartitioner(1, NO_LATENESS);
        partitioner.add(columnsOf(events), T0);
        for (const event of events) {
          const minute = minuteOf(event.eventTimeMs);
          received.set(minute, [...(received.get(minute) ?? []), event]);
          touched.add(`${minute} ${event.videoId} ${event.eventType}`);
        }
        for (const { minute, batches } of partitioner.finish()) {
          const pane = panes.get(minute) ?? new Pane(seed, names, splitEvents);
          panes.set(minute, pane);
          for (const rows of batches) pane.addRows(rows, minute);
        }
        if (!fires) continue;
        const chunks = [...panes].flatMap(([minute, pane]) =>
          [...firePane(pane, minute, 2, true)].flatMap((shard) => shard.chunks),
        );
        const changed = cellsOf(chunks);
        expect(new Set(changed.keys())).toEqual(touched);
        touched.clear();
        for (const [name, cell] of changed) fired.set(name, cell);
      }
      expect(fired).toEqual(modelCells([...received.values()].flat()));
    }),
    { numRuns: 200 },
  );
});

test("blocks, panes and count blocks count what Sets and Maps count", () => {
  const spread = fc.record({ partitions: fc.integer({ min: 1, max: 5 }), shards: fc.integer({ min: 1, max: 4 }) });
  fc.assert(
    fc.property(
      fc.array(fc.array(meetingEvent, { maxLength: 60 }), { maxLength: 5 }),
      spread,
      (batches, { partitions, shards }) => {
        const events = batches.flat();
        const counted = count(batches.map(columnsOf), partitions, shards);
        expect(cellsOf(counted.counts)).toEqual(modelCells(events));
        expect(counted.received).toBe(events.length);
        expect(counted.distinct).toBe([...modelCells(events).values()].reduce((sum, cell) => sum + cell.count, 0));
        expect(counted.reusedIds).toBe(modelReusedIds(events));
        expect([...counted.reusedByShard.values()].reduce((sum, reused) => sum + reused, 0)).toBe(counted.reusedIds);
      },
    ),
    { numRuns: 300 },
  );
});

test("the order of the events changes nothing", () => {
  const shuffled = fc
    .array(meetingEvent, { minLength: 2, maxLength: 60 })
    .chain((events) => fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })));
  fc.assert(
    fc.property(shuffled, ([events, other]) => {
      expect(cellsOf(count([columnsOf(other)], 2, 2).counts)).toEqual(cellsOf(count([columnsOf(events)], 3, 1).counts));
      // Books are kept by shard, and a replay comes in another order: what one shard says may not go over to the next.
      const reused = (all: VideoEvent[]) => count([columnsOf(all)], 2, 3).reusedByShard;
      expect(new Map([...reused(other)].sort())).toEqual(new Map([...reused(events)].sort()));
    }),
  );
});

test("sums are exact where every event has the largest value", () => {
  const events: VideoEvent[] = [];
  for (let i = 0; i < 5000; i++) {
    const sign = i % 5 === 0 ? -1 : 1;
    events.push({
      eventId: `e${i}`,
      videoId: "v",
      eventType: "VIEW",
      eventTimeMs: T0,
      value: sign * Number.MAX_SAFE_INTEGER,
    });
  }
  const [cell] = cellsOf(count([columnsOf(events)], 3, 2).counts).values();
  expect(cell).toEqual({ count: 5000, sum: 3000n * BigInt(Number.MAX_SAFE_INTEGER), valued: 5000, lastMs: 0 });
});

test("of repeats the largest value counts, whatever repeats without a value come before or after it", () => {
  const repeat = (value?: number): VideoEvent => {
    const event: VideoEvent = { eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
    return value === undefined ? event : { ...event, value };
  };
  const sumOf = (...events: VideoEvent[]) => [...cellsOf(count([columnsOf(events)], 1, 1).counts).values()];
  const one = { count: 1, valued: 1, lastMs: 0 };
  expect(sumOf(repeat(3), repeat(7), repeat(5))).toEqual([{ ...one, sum: 7n }]);
  expect(sumOf(repeat(-5), repeat())).toEqual([{ ...one, sum: -5n }]);
  expect(sumOf(repeat(), repeat(-5))).toEqual([{ ...one, sum: -5n }]);
  expect(sumOf(repeat(), repeat(0), repeat())).toEqual([{ ...one, sum: 0n }]);
  expect(sumOf(repeat(), repeat())).toEqual([{ ...one, sum: 0n, valued: 0 }]);
  expect(sumOf(repeat(-5), repeat(-3), repeat(-4))).toEqual([{ ...one, sum: -3n }]);
});

test("nested panes only grow: (count, valued, sum, last) of every cell orders them", () => {
  fc.assert(
    fc.property(fc.array(fc.array(meetingEvent, { minLength: 1, maxLength: 8 }), { maxLength: 12 }), (batches) => {
      const pane = new Pane(seed);
      let before: ModelCells = new Map();
      for (const batch of batches) {
        const ofOneMinute = batch.map((event) => ({ ...event, eventTimeMs: T0 + (event.eventTimeMs % MINUTE_MS) }));
        const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
        partitioner.add(columnsOf(ofOneMinute), T0);
        for (const { bytes } of partitioner.finish()) pane.addBlock(openBlock(bytes));
        const after = cellsOf([...packPane(pane, 1)].map(({ bytes }) => openCounts(bytes, minuteOf(T0))));
        for (const [name, old] of before) expect(isGrown(old, after.get(name)!)).toBe(true);
        before = after;
      }
    }),
  );
});

function isGrown(old: ModelCell, next: ModelCell): boolean {
  if (next.count !== old.count) return next.count > old.count;
  if (next.valued !== old.valued) return next.valued > old.valued;
  if (next.sum !== old.sum) return next.sum > old.sum;
  return next.lastMs >= old.lastMs;
}

describe("the lateness rule", () => {
  const at = (eventTimeMs: number): VideoEvent => ({
    eventId: `e${eventTimeMs}`,
    videoId: "v",
    eventType: "VIEW",
    eventTimeMs,
  });

  test("an event exactly as late as allowed is counted, one a millisecond later is set aside by its minute", () => {
    const partitioner = new BlockPartitioner(2, 3_600_000, seed);
    partitioner.add(columnsOf([at(T0), at(T0 - 1), at(T0 - 60_001), at(T0 - 60_000)]), T0 + 3_600_000);
    expect(partitioner.finish().map(({ minute, count }) => [minute, count])).toEqual([[minuteOf(T0), 1]]);
    const receiptMinute = minuteOf(T0 + 3_600_000);
    expect(partitioner.takeLate()).toEqual([
      { minute: minuteOf(T0) - 1, receiptMinute, count: 2 },
      { minute: minuteOf(T0) - 2, receiptMinute, count: 1 },
    ]);
    expect(partitioner.takeLate()).toEqual([]);
  });

  test("each row is judged by its own receipt", () => {
    const partitioner = new BlockPartitioner(1, 1000, seed);
    partitioner.add(columnsOf([at(T0), at(T0 + 1)]), Float64Array.of(T0 + 1001, T0 + 1001));
    expect(partitioner.takeLate()).toMatchObject([{ minute: minuteOf(T0), count: 1 }]);
    expect(partitioner.finish()[0]!.count).toBe(1);
  });
});

test("only events of the wanted minutes are taken", () => {
  fc.assert(
    fc.property(fc.array(meetingEvent), fc.subarray([0, 1, 2]), (events, wanted) => {
      const minutes = new Set(wanted.map((offset) => minuteOf(T0) + offset));
      const partitioner = new BlockPartitioner(3, NO_LATENESS, seed);
      partitioner.add(columnsOf(events), T0, minutes);
      const taken = partitioner.finish().reduce((sum, { count: events }) => sum + events, 0);
      expect(taken).toBe(events.filter(({ eventTimeMs }) => minutes.has(minuteOf(eventTimeMs))).length);
    }),
  );
});

/** `n` events of one minute, ids 0.. as UUIDs, without an object per event. */
function manyEvents(n: number, videos: number, firstId = 0): EventColumns {
  const ids = new Uint8Array(n * 16);
  const view = new DataView(ids.buffer);
  for (let row = 0; row < n; row++) {
    view.setUint32(row * 16, (row + firstId) * 2654435761);
    view.setUint32(row * 16 + 4, 0x0000_7000);
    view.setUint32(row * 16 + 8, 0x8000_0000);
    view.setUint32(row * 16 + 12, row + firstId);
  }
  return {
    count: n,
    ids,
    videos: Array.from({ length: videos }, (_, i) => `video-${i}`),
    videoIndex: Uint32Array.from({ length: n }, (_, row) => row % videos),
    types: ["VIEW"],
    typeIndex: new Uint32Array(n),
    timesMs: new Float64Array(n).fill(T0),
  };
}

test("the chunks of a firing have their videos in the order in which the names came, whatever order the cells have", () => {
  const names = new PaneNames(seed);
  const videos = 20_000;
  const first = manyEvents(videos, videos);
  const later = manyEvents(2 * videos, videos, videos);
  for (let row = 0; row < later.count; row++) later.videoIndex[row] = (row * 7919) % videos;
  later.types = ["LIKE"];
  const pane = new Pane(seed, names);
  const partitioner = new RowPartitioner(1, Number.POSITIVE_INFINITY);
  for (const columns of [first, later]) partitioner.add(columns, T0);
  for (const { minute, batches } of partitioner.finish()) for (const rows of batches) pane.addRows(rows, minute);
  const chunks = [...firePane(pane, minuteOf(T0), 1, true)].flatMap((shard) => shard.chunks);
  const written = chunks.flatMap((chunk) => Array.from(chunk.videoIndex, (index) => chunk.videos[index]!));
  expect(written.length).toBe(videos * 2);
  expect(written.findIndex((name, cell) => name !== `video-${cell >> 1}`)).toBe(-1);
  expect(chunks.length).toBe(3);
});

test("a block is split before 1 MB, whatever the names take", () => {
  const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
  const longNames = manyEvents(100_000, 20_000);
  partitioner.add({ ...longNames, videos: longNames.videos.map((name) => name.padEnd(128, "x")) }, T0);
  const blocks = partitioner.finish();
  expect(blocks.length).toBeGreaterThan(3);
  expect(Math.max(...blocks.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(MAX_BLOCK_BYTES);
  const pane = [...panesOf(blocks).values()][0]!.pane;
  expect([pane.received, pane.distinct, pane.cells.size]).toEqual([100_000, 100_000, 20_000]);
});

test("a bundle whose open blocks grow too large seals them early and loses none", () => {
  const partitioner = new BlockPartitioner(4, NO_LATENESS, seed);
  for (let part = 0; part < 4; part++) {
    const columns = manyEvents(900_000, 10, part * 900_000);
    partitioner.add(
      { ...columns, timesMs: columns.timesMs.map((timeMs, row) => timeMs + Math.floor(row / 900) * 60_000) },
      T0,
    );
  }
  const events = (blocks: SealedBlock[]) => blocks.reduce((sum, { count: each }) => sum + each, 0);
  expect(events(partitioner.takeSealed())).toBe(3_600_000);
  partitioner.add(manyEvents(10, 1), T0);
  expect(events(partitioner.finish())).toBe(10);
});

test("a pane of 1,000,000 ids knows each of them, as it grew and afterwards", () => {
  const pane = new Pane(seed);
  const add = (columns: EventColumns) => {
    const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
    partitioner.add(columns, T0);
    for (const { bytes } of partitioner.finish()) pane.addBlock(openBlock(bytes));
  };
  add(manyEvents(1_000_000, 1000));
  expect([pane.received, pane.distinct, pane.cells.size, pane.reusedIds]).toEqual([1_000_000, 1_000_000, 1000, 0]);
  add(manyEvents(500_000, 1000));
  expect([pane.received, pane.distinct, pane.reusedIds]).toEqual([1_500_000, 1_000_000, 0]);
  const [counts] = firePane(pane, minuteOf(T0), 1, false).next().value!.chunks;
  expect(counts!.counts).toEqual(new Float64Array(1000).fill(1000));
});

test("more cells than a count block takes come in pieces, each cell once", () => {
  const columns = manyEvents(MAX_CELLS * 2 + 5, MAX_CELLS * 2 + 5);
  const { counts } = count([columns], 1, 1);
  expect(counts.map((piece) => piece.counts.length)).toEqual([MAX_CELLS, MAX_CELLS, 5]);
  expect(cellsOf(counts).size).toBe(columns.count);
});

test("parts of a minute add up, cell by cell, with what each part received", () => {
  const part = (counts: number[], last: number[], received?: number[]): MinuteCounts => ({
    ...{ minute: 1, videos: ["v", "w"], types: ["A", "B"] },
    ...{ videoIndex: Uint32Array.of(0, 1), typeIndex: Uint32Array.of(1, 0) },
    ...{ counts: Float64Array.from(counts), valued: Float64Array.of(1, 2) },
    ...{ sumHigh: Float64Array.of(-1, 0), sumLow: Float64Array.of(2 ** 32 - 1, 6) },
    lastMsInMinute: Uint16Array.from(last),
    ...(received !== undefined && { received: Float64Array.from(received) }),
  });
  const builder = new CountsBuilder(seed);
  for (const each of [part([2, 3], [7, 9]), part([1, 1], [8, 2], [4, 5])]) builder.add(each);
  const [sum, ...others] = [...builder.build(1)];
  expect(others).toEqual([]);
  expect(sum).toMatchObject({ minute: 1, videos: ["v", "w"], types: ["B", "A"] });
  const { counts, valued, sumHigh, sumLow, lastMsInMinute, received } = sum!;
  expect([counts, valued, sumHigh, sumLow, lastMsInMinute, received!].map((column) => [...column])).toEqual([
    ...[
      [3, 4],
      [2, 4],
      [-1, 0],
      [2 ** 32 - 2, 12],
      [8, 9],
      [6, 8],
    ],
  ]);
});

test("a pane is packed whole, however often, and a firing has the changed cells alone", () => {
  const events = (ids: string[]) =>
    columnsOf(ids.map((id) => ({ eventId: id, videoId: `v${id[0]}`, eventType: "VIEW", eventTimeMs: T0 })));
  const pane = new Pane(seed, new PaneNames(seed));
  const add = (ids: string[]) => {
    const partitioner = new RowPartitioner(1, NO_LATENESS);
    partitioner.add(events(ids), T0);
    for (const { minute, batches } of partitioner.finish()) for (const rows of batches) pane.addRows(rows, minute);
  };
  const packed = (shards: number) =>
    [...packPane(pane, shards)].map(({ shard, bytes }) => [shard, openCounts(misaligned(bytes), 1).counts.length]);
  const fired = () =>
    [...firePane(pane, minuteOf(T0), 1, true)].flatMap(({ chunks }) => chunks.flatMap((chunk) => [...chunk.videos]));
  add(["a1", "a2", "b1"]);
  expect([packed(1), packed(1)]).toEqual([[[0, 2]], [[0, 2]]]);
  expect(fired().sort()).toEqual(["va", "vb"]);
  add(["b2"]);
  expect(packed(1)).toEqual([[0, 2]]);
  expect(fired()).toEqual(["vb"]);
  expect(fired()).toEqual([]);
  expect(packed(3).reduce((sum, [, cells]) => sum + cells!, 0)).toBe(2);
});

test("a pane without cells gives no count block", () => {
  expect([...packPane(new Pane(seed), 3)]).toEqual([]);
});

test("more (video, type) pairs than are remembered a block are counted right", () => {
  const types = Array.from({ length: 300 }, (_, i) => `T${i}`);
  const events = Array.from({ length: 8000 }, (_, i) => ({
    eventId: `e${i % 7000}`,
    videoId: `v${i % 4000}`,
    eventType: types[(i * 7) % 300]!,
    eventTimeMs: T0,
  }));
  expect(cellsOf(count([columnsOf(events)], 1, 2).counts)).toEqual(modelCells(events));
});

test("a video with many types has one cell each", () => {
  const events = Array.from({ length: 600 }, (_, i) => ({
    eventId: `e${i}`,
    videoId: i % 3 === 0 ? "one" : "other",
    eventType: `T${i % 40}`,
    eventTimeMs: T0 + i,
    value: i,
  }));
  expect(cellsOf(count([columnsOf(events), columnsOf(events)], 2, 1).counts)).toEqual(modelCells(events));
});

describe("an index is never wider than its column", () => {
  /** `n` events of one minute, each of its own type and one video. */
  const ofManyTypes = (n: number): EventColumns => ({
    ...manyEvents(n, 1),
    types: Array.from({ length: n }, (_, i) => `T${i}`),
    typeIndex: Uint32Array.from({ length: n }, (_, i) => i),
  });

  test("a batch of 70,000 event types is counted by type, through blocks, panes and count blocks", () => {
    const { counts, distinct } = count([ofManyTypes(70_000)], 1, 1);
    expect(distinct).toBe(70_000);
    const cells = cellsOf(counts);
    expect(cells.size).toBe(70_000);
    expect([...cells.values()].every((cell) => cell.count === 1)).toBe(true);
    expect(cells.has(`${minuteOf(T0)} video-0 T65536`)).toBe(true);
  });

  test("columns built event by event keep more than 65,536 types apart", () => {
    const builder = new EventColumnsBuilder();
    for (let i = 0; i <= 65_536; i++) {
      builder.add({ eventId: `e${i}`, videoId: "v", eventType: `T${i}`, eventTimeMs: T0 });
    }
    const columns = builder.build();
    expect(columns.types[columns.typeIndex[65_536]!]).toBe("T65536");
  });

  test("a pane says that it is full before an event's number passes 32 bits", () => {
    const pane = new Pane(seed);
    const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
    partitioner.add(manyEvents(2, 1), T0);
    const [block] = partitioner.finish();
    Reflect.set(pane, "distinctIds", MAX_PANE_EVENTS - 1);
    expect(() => pane.addBlock(openBlock(block!.bytes))).toThrow(/at most 1073741824 events/);
  });
});
