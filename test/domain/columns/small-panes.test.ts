// SPDX-License-Identifier: Apache-2.0
/** Panes against Maps, by streams that are drawn once: rows that wait, tables that split, panes that take turns. */
import { HeldBatch } from "../../../domain/columns/batch-rows";
import type { EventColumns } from "../../../domain/columns/event-columns";
import { Pane } from "../../../domain/columns/pane";
import { PaneNames } from "../../../domain/columns/pane-names";
import { minuteOf } from "../../../domain/event";
import { mulberry32 } from "../../../domain/seeded-random";
import { T0 } from "../model";

const seed = Uint32Array.from({ length: 8 }, (_, word) => Math.imul(word + 1, 0x9e37_79b1));
const M = minuteOf(T0);
const VIDEOS = ["v", "w", "vv", "a"];
const TYPES = ["VIEW", "LIKE", "SHARE"];

interface Row {
  id: readonly [number, number, number, number];
  video: number;
  type: number;
  ms: number;
  value?: number;
}

function columnsOf(rows: readonly Row[], hasValues: boolean): EventColumns {
  return {
    count: rows.length,
    ids: new Uint8Array(Uint32Array.from(rows.flatMap(({ id }) => id)).buffer),
    ...{ videos: VIDEOS, types: TYPES },
    videoIndex: Uint32Array.from(rows, ({ video }) => video),
    typeIndex: Uint32Array.from(rows, ({ type }) => type),
    timesMs: Float64Array.from(rows, ({ ms }) => T0 + ms),
    ...(hasValues && { values: Float64Array.from(rows, ({ value = Number.NaN }) => value) }),
  };
}

/** Rows of few ids, so that many are repeats, and some ids have several videos or types. */
function drawn(count: number, ids: number, start: number): Row[] {
  const random = mulberry32(start);
  const below = (n: number) => Math.floor(random() * n);
  return Array.from({ length: count }, () => {
    const id = below(ids);
    const [video, type] = random() < 0.9 ? [id % 4, id % 3] : [below(4), below(3)];
    const value = random() < 0.5 ? {} : { value: below(1_000) - 500 };
    return { ...{ id: [id, 0, id % 2, 5] as const, video, type, ms: below(60_000) }, ...value };
  });
}

interface Cell {
  received: number;
  duplicates: number;
  lastMs: number;
  valued: number;
  sum: number;
}

class Model {
  readonly cells = new Map<string, Cell>();
  readonly largest = new Map<string, number | undefined>();
  readonly cellsOfId = new Map<string, Set<string>>();
  add({ id, video, type, ms, value }: Row, hasValues: boolean): void {
    const name = `${VIDEOS[video]} ${TYPES[type]}`;
    const cell = this.cells.get(name) ?? { received: 0, duplicates: 0, lastMs: 0, valued: 0, sum: 0 };
    this.cells.set(name, cell);
    cell.received++;
    cell.lastMs = Math.max(cell.lastMs, ms);
    const event = `${id} ${name}`;
    if (this.largest.has(event)) cell.duplicates++;
    else this.largest.set(event, undefined);
    this.cellsOfId.set(String(id), (this.cellsOfId.get(String(id)) ?? new Set()).add(name));
    if (!hasValues || value === undefined) return;
    const before = this.largest.get(event);
    if (before !== undefined && value <= before) return;
    if (before === undefined) cell.valued++;
    cell.sum += value - (before ?? 0);
    this.largest.set(event, value);
  }

  /** Each id's first cell by name has none of its reuses. */
  get reused(): Map<string, number> {
    const reused = new Map<string, number>();
    for (const names of this.cellsOfId.values())
      for (const name of [...names].sort().slice(1)) reused.set(name, (reused.get(name) ?? 0) + 1);
    return reused;
  }
}

const nameOf = (pane: Pane, cell: number) => {
  const { cells, names } = pane;
  return `${names.videoText(cells.video[cell]!)} ${names.typeText(cells.type[cell]!)}`;
};

function check(pane: Pane, model: Model): void {
  const { cells } = pane;
  const found = new Map<string, Cell>();
  for (let cell = 0; cell < cells.size; cell++) {
    const [received, duplicates, lastMs] = [cells.received[cell]!, cells.duplicates[cell]!, cells.lastMs[cell]!];
    const sum = (cells.values?.high[cell] ?? 0) * 2 ** 32 + (cells.values?.low[cell] ?? 0);
    found.set(nameOf(pane, cell), { received, duplicates, lastMs, valued: cells.values?.valued[cell] ?? 0, sum });
  }
  expect(found).toEqual(model.cells);
  expect(pane.distinct).toBe(model.largest.size);
  const { reused } = model;
  expect(new Map([...cells.reused].map(([cell, times]) => [nameOf(pane, cell), times]))).toEqual(reused);
  expect(pane.reusedIds).toBe([...reused.values()].reduce((sum, times) => sum + times, 0));
}

test.each([
  ["in one table", 300, Number.POSITIVE_INFINITY],
  ["in a table that splits at once", 300, 0],
  ["in a table that splits between batches", 300, 40],
])("panes that take turns count what Maps count, with and without values, their ids %s", (_where, ids, split) => {
  const names = new PaneNames(seed);
  const panes = [0, 1].map(() => ({ pane: new Pane(seed, names, split), model: new Model() }));
  for (let batch = 0; batch < 24; batch++) {
    const { pane, model } = panes[batch % 5 < 2 ? 0 : 1]!;
    const rows = drawn(30, ids, batch);
    const hasValues = batch % 3 !== 0;
    const picked = batch % 4 === 0 ? Uint32Array.from([0, 3, 4, 29]) : undefined;
    pane.addRows({ batch: new HeldBatch(columnsOf(rows, hasValues)), ...(picked && { rows: picked }) }, M);
    for (const row of picked === undefined ? rows : [...picked].map((at) => rows[at]!)) model.add(row, hasValues);
    expect(pane.received).toBe([...model.cells.values()].reduce((sum, { received }) => sum + received, 0));
    if (batch % 7 === 6) for (const each of panes) check(each.pane, each.model);
  }
  for (const { pane, model } of panes) check(pane, model);
});

test("more rows than wait for one table are looked up on the way", () => {
  const [pane, model] = [new Pane(seed), new Model()];
  const rows = drawn(9_000, 700, 99);
  pane.addRows({ batch: new HeldBatch(columnsOf(rows, true)) }, M);
  for (const row of rows) model.add(row, true);
  check(pane, model);
});

test("ids are told apart by each of their words", () => {
  const ids = [0, 1, 2, 3].flatMap((at) => [1, 2, 2 ** 31].map((by) => [7, 7, 7, 7].with(at, by)));
  const rows = [[7, 7, 7, 7], ...ids].map((id): Row => ({ id: id as never, video: 0, type: 0, ms: 0 }));
  const pane = new Pane(seed);
  for (let times = 1; times <= 2; times++) {
    pane.addRows({ batch: new HeldBatch(columnsOf(rows, false)) }, M);
    expect([pane.distinct, pane.received, pane.cells.duplicates[0]]).toEqual([13, 13 * times, 13 * (times - 1)]);
  }
  expect(pane.detours).toBeGreaterThanOrEqual(0);
  expect(pane.detours).toBeLessThan(26);
});

test("of an id with several videos and types the first by name has no reuse, in whatever order they come", () => {
  const cells = [0, 1, 2, 3].flatMap((video) => [0, 1].map((type) => ({ video, type })));
  const names = cells.map(({ video, type }) => `${VIDEOS[video]} ${TYPES[type]}`);
  for (let turn = 0; turn < cells.length; turn++) {
    for (const order of [cells, cells.toReversed()]) {
      const pane = new Pane(seed);
      for (const { video, type } of [...order.slice(turn), ...order.slice(0, turn)])
        pane.addRows({ batch: new HeldBatch(columnsOf([{ id: [1, 2, 3, 4], video, type, ms: 0 }], false)) }, M);
      const reused = [...pane.cells.reused].map(([cell, times]) => [nameOf(pane, cell), times]);
      expect(reused.sort()).toEqual(
        names
          .toSorted()
          .slice(1)
          .map((name) => [name, 1]),
      );
      expect([pane.reusedIds, pane.distinct]).toEqual([7, 8]);
    }
  }
});

test("the bytes that a pane holds grow with its ids, its cells and its values", () => {
  const sizes = [0, 40, 400].map((ids) => {
    const pane = new Pane(seed);
    if (ids > 0) pane.addRows({ batch: new HeldBatch(columnsOf(drawn(ids * 4, ids, ids), true)) }, M);
    return pane.sizeBytes;
  });
  expect(sizes[0]).toBeLessThan(1_000);
  expect(sizes[1]!).toBeGreaterThan(sizes[0]! + 24 * 30 + 60 * 6);
  expect(sizes[2]!).toBeGreaterThan(sizes[1]! + 28 * 300);
  expect(sizes[2]!).toBeLessThan(100_000);
});
