// SPDX-License-Identifier: Apache-2.0
/** The rule of the ranking index in a model of one cell: writers of any knowledge, interleaved, late, or stopped. */
import fc from "fast-check";
import { rankRows } from "../../../io/bigtable/rank-rows";
import { HOUR_FAMILY } from "../../../io/bigtable/row-keys";

const NAME = "2026112910:VIEW";
const exponentOf = (key: string): number => Number(key.split("#")[3]);

interface Cell {
  version: number;
  count: number;
}

/** A write, as counter-round.ts makes it: entries, then the cell, then what is outdated. */
class Write {
  #step = 0;
  readonly #rows: ReturnType<typeof rankRows>;

  constructor(
    private readonly written: Cell,
    countBefore: number,
  ) {
    this.#rows = rankRows("v", [{ family: HOUR_FAMILY, name: NAME, countBefore, count: written.count }]);
  }

  /** Takes the next step; returns the cell as it is then. */
  next(cell: Cell, entries: Set<number>): Cell {
    this.#step++;
    if (this.#step === 1) for (const { key } of this.#rows.entries) entries.add(exponentOf(key));
    if (this.#step === 2 && this.written.version > cell.version) return this.written;
    if (this.#step === 3) for (const { key } of this.#rows.outdated) entries.delete(exponentOf(key));
    return cell;
  }

  get isOver(): boolean {
    return this.#step === 3;
  }
}

const isBounded = ({ count }: Cell, entries: ReadonlySet<number>): boolean =>
  count < 8 || [...entries].some((exponent) => 2 ** (exponent + 1) > count);

/** Counts at and beside few powers of two, so that writers meet at the same ones; up to the largest. */
const count = fc
  .tuple(fc.constantFrom(2, 3, 4, 5, 31, 53), fc.constantFrom(-1, 0, 1))
  .map(([exponent, beside]) => Math.min(Math.max(0, 2 ** exponent + beside), Number.MAX_SAFE_INTEGER));

it("no cell is ever without the entry that bounds it, in whatever order writers take their steps", () => {
  const event = fc.oneof(
    // A writer reads the cell and decides on a later one, perhaps of a smaller count: a correction.
    fc.record({ begins: count, newer: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ steps: fc.nat(3) }),
    fc.record({ steps: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(event, { minLength: 10, maxLength: 40 }), (events) => {
      let cell: Cell = { version: 0, count: 0 };
      const entries = new Set<number>();
      const writes: Write[] = [];
      for (const one of events) {
        if ("begins" in one) {
          writes.push(new Write({ version: cell.version + one.newer, count: one.begins }, cell.count));
          continue;
        }
        // Writes that are never chosen again were stopped.
        const open = writes.filter(({ isOver }) => !isOver);
        if (open.length === 0) continue;
        cell = open[one.steps % open.length]!.next(cell, entries);
        expect(isBounded(cell, entries)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

it("counts below 8 have no entry, and a count that grows within a power of two costs none", () => {
  const rows = (countBefore: number, now: number) => {
    const { entries, outdated } = rankRows("v", [{ family: HOUR_FAMILY, name: NAME, countBefore, count: now }]);
    return [entries, outdated].map((all) => all.map(({ key }) => exponentOf(key)));
  };
  expect(rows(0, 7)).toEqual([[], []]);
  expect(rows(7, 8)).toEqual([[3], []]);
  expect(rows(8, 15)).toEqual([[], []]);
  expect(rows(15, 16)).toEqual([[4], [3]]);
  expect(rows(16, 9)).toEqual([[], []]);
  expect(rows(3, 2 ** 53 - 1)).toEqual([[52], []]);
  expect(rows(2 ** 31 - 1, 2 ** 31)).toEqual([[31], [30]]);
});
