// SPDX-License-Identifier: Apache-2.0
/** The tables of names, ids and cells a little beyond the sizes that they begin with. */
import { CellTable } from "../../../domain/columns/cell-table";
import { ENTRY_WORDS, IdHash, IdTable } from "../../../domain/columns/id-table";
import { NameTable, textSpans } from "../../../domain/columns/name-table";
import { Pane } from "../../../domain/columns/pane";
import { firePane } from "../../../domain/columns/pane-counts";
import { PaneNames } from "../../../domain/columns/pane-names";
import { RowPartitioner } from "../../../domain/columns/row-partitioner";
import { minuteOf } from "../../../domain/event";
import { columnsOf, T0 } from "../model";

const seed = Uint32Array.from({ length: 8 }, (_, word) => Math.imul(word + 1, 0x9e37_79b1));
const numbers = (n: number) => Array.from({ length: n }, (_, index) => index);

test("names are told apart by every byte, those that a slot holds and those behind them", () => {
  for (const length of [1, 3, 4, 7, 8, 23, 24, 25, 28, 40]) {
    const base = "p".repeat(length);
    const others = numbers(length).flatMap((at) => ["q", "r"].map((by) => base.slice(0, at) + by + base.slice(at + 1)));
    const names = [base, ...others, `${base}p`, `${base}\u00e9`];
    const table = new NameTable(length);
    for (let round = 0; round < 2; round++)
      expect(names.map((name) => table.indexText(name))).toEqual(numbers(names.length));
    expect(names.map((_, number) => table.text(number))).toEqual(names);
    expect([...table.indexSpans(textSpans(names))]).toEqual(numbers(names.length));
  }
});

test("the last name of a message is read to its end and no further, whatever its length", () => {
  for (const length of [1, 2, 3, 4, 5, 6, 7, 8, 9, 25]) {
    const name = "abcdefghijklmnopqrstuvwxyz".slice(0, length);
    const memory = Buffer.alloc(64, 0xff);
    memory.write(name, 64 - length, "latin1");
    const table = new NameTable(length);
    expect(table.indexText(name)).toBe(0);
    const inside = { bytes: memory, starts: Uint32Array.of(64 - length), ends: Uint32Array.of(64) };
    const alone = { bytes: memory.subarray(64 - length), starts: Uint32Array.of(0), ends: Uint32Array.of(length) };
    expect([...table.indexSpans(inside), ...table.indexSpans(alone)]).toEqual([0, 0]);
  }
});

test("names are looked up together, more than there is room for at first, wherever their bytes lie", () => {
  const names = numbers(1_500).map((n) => `${"long-name-of-a-video-".repeat(n % 3)}${n}`);
  const { bytes, starts, ends } = textSpans(names);
  const shifted = Buffer.concat([Buffer.alloc(7), bytes]);
  const by = (n: number) => n + 7;
  const table = new NameTable(5);
  expect(table.indexText(names[3]!)).toBe(0);
  const found = [...table.indexSpans({ bytes: shifted, starts: starts.map(by), ends: ends.map(by) })];
  expect(found.toSpliced(3, 1)).toEqual(numbers(1_499).map((n) => n + 1));
  expect(found[3]).toBe(0);
  expect([...table.indexSpans({ bytes, starts, ends })]).toEqual(found);
  expect(found.map((number) => table.text(number))).toEqual(names);
  expect(table.detours).toBeGreaterThan(0);
  expect(table.detours).toBeLessThan(names.length);
});

test("ids are found after each growth, one by one or many at once, with their values", () => {
  const hash = new IdHash(seed);
  for (const more of [1, 7, 17, 100]) {
    const table = new IdTable(hash);
    let size = 0;
    while (size < 200) {
      table.reserve(more);
      for (let n = 0; n < more; n++, size++)
        table.append(Uint32Array.of(size, 1, 2, 3, size), size % 2 ? size : Number.NaN);
    }
    expect(table.size).toBe(size);
    const mask = table.slots.length - 1;
    const placed = new Set(table.slots);
    expect(numbers(size).every((entry) => placed.has(entry + 1))).toBe(true);
    for (const entry of numbers(size)) {
      let slot = hash.of(entry, 1, 2, 3) & mask;
      while (table.slots[slot] !== entry + 1 && table.slots[slot] !== 0) slot = (slot + 1) & mask;
      expect(table.slots[slot]).toBe(entry + 1);
      expect(table.entries[entry * ENTRY_WORDS]).toBe(entry);
    }
    expect(numbers(size).map((entry) => table.values![entry])).toEqual(
      numbers(size).map((entry) => (entry % 2 ? entry : Number.NaN)),
    );
    expect(table.entries.length / ENTRY_WORDS).toBeLessThanOrEqual(Math.max(16, Math.ceil(size * 1.5) + more));
  }
});

test("cells keep what they count while the table grows, also those whose numbers are no key", () => {
  const table = new CellTable(7);
  const pairs = numbers(300).map((n): [number, number] => (n % 7 === 0 ? [2 ** 25 + n, n & 3] : [n >> 2, n & 3]));
  for (const [n, [video, type]] of pairs.entries()) {
    const cell = table.cell(video, type);
    expect(cell).toBe(n);
    for (const column of [table.received, table.duplicates, table.lastMs, table.fired]) column[cell] = n;
    const values = table.withValues();
    values.add(cell, 2 ** 33 + n);
    values.valued[cell] = n;
  }
  expect(pairs.map(([video, type]) => table.cell(video, type))).toEqual(numbers(300));
  expect(pairs.map((_, cell) => [table.video[cell], table.type[cell]])).toEqual(pairs);
  const { received, duplicates, lastMs, fired } = table;
  const { valued, low, high } = table.withValues();
  for (const column of [received, duplicates, lastMs, fired, valued, low])
    expect([...column.subarray(0, 300)]).toEqual(numbers(300));
  expect([...high.subarray(0, 300)]).toEqual(numbers(300).map(() => 2));
});

test("a firing has its cells by the order in which the names of videos came, in every shard", () => {
  const videos = numbers(70).map((n) => `v${n}`);
  const first = videos.map((videoId, n) => ({ eventId: `a${n}`, videoId, eventType: "VIEW", eventTimeMs: T0 }));
  const later = first
    .map((event, n) => ({ ...event, eventId: `b${n}`, eventType: "LIKE", eventTimeMs: T0 + 5 }))
    .reverse();
  for (const shards of [1, 3]) {
    const pane = new Pane(seed, new PaneNames(seed));
    const partitioner = new RowPartitioner(1, Number.POSITIVE_INFINITY);
    for (const events of [first, later]) partitioner.add(columnsOf(events), T0);
    for (const { minute, batches } of partitioner.finish()) for (const rows of batches) pane.addRows(rows, minute);
    const fired = [...firePane(pane, minuteOf(T0), shards, true)];
    expect(fired.map(({ shard }) => shard)).toEqual(numbers(shards));
    const cells = fired.map(({ chunks }) =>
      chunks.flatMap(({ videos: names, types, videoIndex, typeIndex, lastMsInMinute }) =>
        Array.from(videoIndex, (video, row) => [names[video]!, types[typeIndex[row]!]!, lastMsInMinute[row]!] as const),
      ),
    );
    for (const of of cells) {
      const order = of.map(([name]) => Number(name.slice(1)));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
    const all = videos.flatMap((name) => [`${name} LIKE 5`, `${name} VIEW 0`]).sort();
    expect(
      cells
        .flat()
        .map((cell) => cell.join(" "))
        .sort(),
    ).toEqual(all);
    expect(fired.reduce((sum, { received }) => sum + received, 0)).toBe(140);
    expect([...firePane(pane, minuteOf(T0), shards, true)]).toEqual([]);
  }
});
