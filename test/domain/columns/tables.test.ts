// SPDX-License-Identifier: Apache-2.0
/** The tables that a pane keeps its cells and ids in, against Maps and bigints. */
import fc from "fast-check";
import { CellTable } from "../../../domain/columns/cell-table";
import { ENTRY_WORDS, IdHash, IdTable } from "../../../domain/columns/id-table";
import { LateEvents } from "../../../domain/columns/late-events";
import { NO_LATENESS } from "../../../domain/rules/lateness";
import { rollUpPart } from "../../../domain/rules/roll-ups";

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("cells of a pane", () => {
  /** Around the widths of a key of 32 bits (25 bits of the video, 10 of the type), and of groups of eight videos. */
  const video = fc.oneof(fc.nat(3), fc.nat(40), fc.constantFrom(2 ** 22, 2 ** 25 - 1, 2 ** 25, 2 ** 25 + 1, 2 ** 31));
  const type = fc.oneof(fc.nat(3), fc.constantFrom(1023, 1024, 1025, 70_000));

  test("a (video, type) has the number that a Map would give it, whatever the numbers' width", () => {
    fc.assert(
      fc.property(word, fc.array(fc.tuple(video, type), { maxLength: 80 }), (seed, pairs) => {
        const table = new CellTable(seed);
        const model = new Map<string, number>();
        for (const [v, t] of pairs) {
          const name = `${v} ${t}`;
          if (!model.has(name)) model.set(name, model.size);
          expect(table.cell(v, t)).toBe(model.get(name));
        }
        expect(table.size).toBe(model.size);
        for (const [name, cell] of model) expect(`${table.video[cell]} ${table.type[cell]}`).toBe(name);
      }),
    );
  });

  test("cells keep their numbers and what they count while the table grows", () => {
    for (const seed of [0, 1, 0xffff_ffff]) {
      const table = new CellTable(seed);
      table.withValues();
      for (let n = 0; n < 5_000; n++) {
        const cell = table.cell(n >> 2, n & 3);
        table.received[cell] = n;
        table.duplicates[cell] = n + 1;
        table.lastMs[cell] = n + 2;
        table.fired[cell] = n + 3;
        table.withValues().add(cell, n);
        table.withValues().valued[cell] = n + 4;
      }
      expect(table.size).toBe(5_000);
      const { received, duplicates, lastMs, fired, values } = table;
      const columns = [received, duplicates, lastMs, fired, values!.low, values!.valued];
      // One comparison: an expectation for each cell costs more than the cells do.
      const numbers = Array.from({ length: 5_000 }, (_, n) => n);
      const found = numbers.map((n) => columns.map((column) => column[table.cell(n >> 2, n & 3)]).join(" "));
      expect(found).toEqual(numbers.map((n) => [n, n + 1, n + 2, n + 3, n, n + 4].join(" ")));
      expect(table.size).toBe(5_000);
    }
  });

  test("a table has a column of values only once an event has one", () => {
    const table = new CellTable(1);
    expect(table.values).toBeUndefined();
    const values = table.withValues();
    expect(table.withValues()).toBe(values);
    expect(table.values).toBe(values);
  });
});

test("sums are exact and canonical, whatever is added and taken out", () => {
  const step = fc.tuple(fc.nat(2), fc.maxSafeInteger(), fc.constantFrom(1, 1, 1, -1));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const values = new CellTable(3).withValues();
      const model = [0n, 0n, 0n];
      for (const [cell, value, sign] of steps) {
        if (sign === 1) values.add(cell, value);
        else values.add(cell, value, sign);
        model[cell]! += BigInt(sign) * BigInt(value);
        const [high, low] = [values.high[cell]!, values.low[cell]!];
        expect(BigInt(high) * 2n ** 32n + BigInt(low)).toBe(model[cell]);
        expect(low >= 0 && low < 2 ** 32).toBe(true);
      }
    }),
  );
});

describe("ids of a pane", () => {
  const hash = new IdHash(Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const entryOf = (n: number) => Uint32Array.of(n, n >>> 3, 7, 7, n + 1);

  function found(table: IdTable, entry: Uint32Array): number | undefined {
    const mask = table.slots.length - 1;
    for (
      let slot = hash.of(entry[0]!, entry[1]!, entry[2]!, entry[3]!) & mask;
      table.slots[slot] !== 0;
      slot = (slot + 1) & mask
    ) {
      const at = (table.slots[slot]! - 1) * ENTRY_WORDS;
      if (entry.every((each, n) => table.entries[at + n] === each)) return table.slots[slot]! - 1;
    }
    return undefined;
  }

  test("are found with their values, however the table grew, and no slot is left without a free one behind it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 12 }), (steps) => {
        const table = new IdTable(hash);
        const values: number[] = [];
        for (const [more, valued] of steps) {
          table.reserve(more);
          for (let n = 0; n < more; n++) {
            const value = valued ? values.length - 20 : Number.NaN;
            table.append(entryOf(values.length), value);
            values.push(value);
          }
          expect(table.size).toBeLessThanOrEqual(table.slots.length * 0.6);
          expect(table.entries.length / ENTRY_WORDS).toBeGreaterThanOrEqual(table.size);
        }
        expect(table.size).toBe(values.length);
        for (const [n, value] of values.entries()) {
          expect(found(table, entryOf(n))).toBe(n);
          expect(table.values?.[n] ?? Number.NaN).toBe(value);
        }
        expect(found(table, entryOf(values.length))).toBeUndefined();
        const bytes = table.entries.byteLength + table.slots.byteLength + (table.values?.byteLength ?? 0);
        expect(table.sizeBytes).toBe(bytes);
      }),
    );
  });

  test("take a column of values only once one has a value; those before it have none", () => {
    const table = new IdTable(hash);
    table.reserve(2);
    table.append(entryOf(0), Number.NaN);
    expect(table.values).toBeUndefined();
    table.append(entryOf(1), 0);
    expect([...table.values!.slice(0, 2)]).toEqual([Number.NaN, 0]);
    expect(table.valueColumn()).toBe(table.values);
  });

  test("need about as many steps as a table of random ids: each word of an id and of the seed changes the hash", () => {
    const table = new IdTable(hash);
    table.reserve(4_000);
    for (let n = 0; n < 4_000; n++)
      table.append(Uint32Array.of(n & 7, (n >> 3) & 7, (n >> 6) & 7, n >> 9, 0), Number.NaN);
    expect(table.detours).toBeLessThan(8_000);
    const base = [9, 9, 9, 9, 9, 9, 9, 9];
    const of = (seed: number[], id: number[]) => new IdHash(Uint32Array.from(seed)).of(id[0]!, id[1]!, id[2]!, id[3]!);
    for (let n = 0; n < 8; n++) {
      expect(of(base.with(n, 0x1234_5678), [5, 6, 7, 8]), `seed ${n}`).not.toBe(of(base, [5, 6, 7, 8]));
      if (n < 4) expect(of(base, [5, 6, 7, 8].with(n, 77)), `id ${n}`).not.toBe(of(base, [5, 6, 7, 8]));
    }
  });

  test("tell how many steps finding them takes", () => {
    const table = new IdTable(hash);
    table.reserve(5);
    for (let n = 0; n < 5; n++) table.append(Uint32Array.of(1, 1, 1, 1, n), Number.NaN);
    // All in a row from one slot on: 0 + 1 + 2 + 3 + 4.
    expect(table.detours).toBe(10);
  });
});

describe("the lateness rule", () => {
  test("sets aside what was received more than so long after it happened, by minute and minute of receipt", () => {
    const late = new LateEvents(1_000);
    expect(late.takes(0, 100, 1_100)).toBe(false);
    expect(late.takes(0, 100, 1_101)).toBe(true);
    expect(late.takes(0, 5, 59_999)).toBe(true);
    expect(late.takes(0, 5, 60_000)).toBe(true);
    expect(late.takes(1, 60_000, 61_001)).toBe(true);
    expect(late.take()).toEqual([
      { minute: 0, receiptMinute: 0, count: 2 },
      { minute: 0, receiptMinute: 1, count: 1 },
      { minute: 1, receiptMinute: 1, count: 1 },
    ]);
    expect(late.take()).toEqual([]);
  });

  test("needs no look at the rows of a minute whose earliest event would be in time", () => {
    const late = new LateEvents(1_000);
    expect([late.mayTake(100, 1_100), late.mayTake(100, 1_101)]).toEqual([false, true]);
    expect(late.mayTake(100, Float64Array.of(0))).toBe(true);
    expect(new LateEvents(NO_LATENESS).mayTake(0, Float64Array.of(Number.MAX_SAFE_INTEGER))).toBe(false);
  });

  test("never applies where every age is allowed", () => {
    expect(new LateEvents(1_000).applies).toBe(true);
    const none = new LateEvents(NO_LATENESS);
    expect(none.applies).toBe(false);
    expect(none.takes(0, 0, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});

test("the part of a roll-up that a video is in never changes: it is in the names of stored files", () => {
  // FNV-1a of the characters: the offset basis, and the published vectors of "a" and "foobar".
  expect(rollUpPart("", 2 ** 32)).toBe(0x811c9dc5);
  expect(rollUpPart("a", 2 ** 32)).toBe(0xe40c292c);
  expect(rollUpPart("foobar", 2 ** 32)).toBe(0xbf9cf968);
  expect(rollUpPart("foobar", 7)).toBe(0xbf9cf968 % 7);
});
