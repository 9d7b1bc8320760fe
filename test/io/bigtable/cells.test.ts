// SPDX-License-Identifier: Apache-2.0
/** The columns of a counter cell in a row, of any version and by either version of the program. */
import fc from "fast-check";
import { cellMutations, completes, isSameCell, rollUp, storedCells } from "../../../io/bigtable/cells";
import { type CounterCell, decodeCell, encodeCell } from "../../../io/bigtable/codec";
import { asRequests, LIMITS, pageRows, setCell } from "../../../io/bigtable/requests";
import type { RowCell } from "../../../io/bigtable/rows";
import { minuteVersion, timestampMicros, versionOf } from "../../../io/bigtable/versions";

const RECEIVED = 2 ** 29;

const anyCell: fc.Arbitrary<CounterCell> = fc
  .record({
    correction: fc.nat({ max: 2 ** 23 }),
    received: fc.integer({ min: 1, max: RECEIVED - 1 }),
    count: fc.nat(),
    valued: fc.nat(),
    sum: fc.oneof(fc.constant(0n), fc.bigInt(-100n, 100n), fc.bigInt(-(2n ** 82n), 2n ** 82n)),
    moreRevisions: fc.oneof(fc.constant(0), fc.nat()),
    lastMs: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
  })
  .map(({ correction, received, count, valued, sum, moreRevisions, lastMs }) => {
    const counted = count % (received + 1);
    const withValue = counted === 0 ? 0 : valued % (counted + 1);
    return {
      version: minuteVersion(correction, received),
      count: counted,
      valued: withValue,
      sum: withValue === 0 ? 0n : sum,
      revision: correction + (counted === 0 ? 0 : moreRevisions),
      lastMs: counted === 0 ? 0 : lastMs,
    };
  });

/** The columns that mutations leave in an empty row. */
function columnsOf(mutations: readonly Record<string, unknown>[]): RowCell[] {
  return mutations.map(({ setCell: set }) => {
    const {
      familyName,
      columnQualifier,
      timestampMicros: micros,
      value,
    } = set as {
      familyName: string;
      columnQualifier: Buffer;
      timestampMicros: string | number;
      value: Buffer;
    };
    return {
      family: familyName,
      qualifier: columnQualifier.toString("latin1"),
      version: versionOf(String(micros)),
      value,
    };
  });
}

const stored = (columns: readonly RowCell[]) => storedCells(columns).map(({ cell }) => cell);
const CELL: CounterCell = { version: 9, count: 5, sum: 30n, valued: 3, revision: 0, lastMs: 7 };

test("any cell is read back as it was written", () => {
  fc.assert(
    fc.property(anyCell, (cell) => {
      expect(storedCells(columnsOf(cellMutations("m", "VIEW:03", cell)))).toEqual([
        { family: "m", qualifier: "VIEW:03", cell },
      ]);
    }),
    { numRuns: 1_000 },
  );
});

test("a cell whose events all have a value, or none, takes the one column of 32 bytes that it always took", () => {
  for (const cell of [
    { ...CELL, valued: 5 },
    { ...CELL, valued: 0, sum: 0n },
    { ...CELL, version: 3 * RECEIVED + 9, valued: 5, revision: 3 },
  ]) {
    expect(columnsOf(cellMutations("m", "VIEW:03", cell)).map(({ value }) => value.length)).toEqual([32]);
  }
  expect(cellMutations("m", "VIEW:03", CELL)).toHaveLength(2);
});

test("the first column is what programs before 2026-12 write and read: they see the same count, sum and time", () => {
  const [main, detail] = columnsOf(cellMutations("m", "VIEW:03", CELL));
  expect(main!.value.toString("hex")).toBe("00000000000000050000000000000000000000000000001e0000000000000007");
  // They take any value that is not 32 bytes long for a cell that does not exist.
  expect(detail!.value.length).not.toBe(32);
});

test("numbers of another state of the cell are not believed", () => {
  const [main, detail] = columnsOf(cellMutations("m", "VIEW:03", CELL));
  const implied = { ...CELL, valued: 5 };
  const others: RowCell[] = [
    { ...detail!, version: 8 },
    { ...detail!, qualifier: "VIEW:04+" },
    { ...detail!, family: "h" },
    { ...detail!, value: detail!.value.subarray(1) },
    { ...detail!, value: encodeCell(CELL) },
    columnsOf(cellMutations("m", "VIEW:03", { ...CELL, count: 6 }))[1]!,
    columnsOf(cellMutations("m", "VIEW:03", { ...CELL, sum: 31n }))[1]!,
    columnsOf(cellMutations("m", "VIEW:03", { ...CELL, valued: 6 }))[1]!,
  ];
  for (const other of others) expect(stored([main!, other])).toEqual([implied]);
  expect(stored([detail!])).toEqual([]);
});

test("a value that is none of ours reads as a cell that does not exist", () => {
  const none = { version: RECEIVED + 4, count: 0, sum: 0n, valued: 0, revision: 1, lastMs: 0 };
  const impossible = [
    Buffer.from("?"),
    Buffer.alloc(0),
    Buffer.alloc(31, 1),
    Buffer.alloc(32, 0xff),
    Buffer.alloc(40),
    encodeCell({ count: 2 ** 53, sum: 0n, lastMs: 0 }),
    encodeCell({ count: -1, sum: 0n, lastMs: 0 }),
    encodeCell({ count: 1, sum: 0n, lastMs: 2 ** 54 }),
    encodeCell({ count: 1, sum: 2n ** 106n, lastMs: 0 }),
    encodeCell({ count: 1, sum: -(2n ** 106n), lastMs: 0 }),
    // Count 0: an audit took the cell away.
    encodeCell({ count: 0, sum: 8n, lastMs: 3 }),
  ];
  for (const value of impossible) expect(decodeCell(none.version, value)).toEqual(none);
  const largest = { count: 2 ** 53 - 1, sum: 2n ** 106n - 1n, lastMs: 2 ** 53 - 1 };
  expect(decodeCell(9, encodeCell(largest))).toMatchObject(largest);
});

test("levels add up what is below, a deleted cell's revisions included", () => {
  fc.assert(
    fc.property(fc.array(anyCell, { maxLength: 60 }), (any) => {
      const cells = any.map((each) => ({ ...each, version: each.version % 2 ** 46 }));
      const sum = <Key extends "version" | "count" | "valued" | "revision">(key: Key) =>
        cells.reduce((total, cell) => total + cell[key], 0);
      const counted = cells.filter(({ count }) => count > 0);
      expect(rollUp(cells)).toEqual({
        version: sum("version"),
        count: sum("count"),
        valued: sum("valued"),
        revision: sum("revision"),
        sum: counted.reduce((total, cell) => total + cell.sum, 0n),
        lastMs: counted.length === 0 ? 0 : Math.max(...counted.map(({ lastMs }) => lastMs)),
      });
    }),
  );
  const most = { ...CELL, version: 1, count: 2 ** 52, valued: 0, sum: 0n };
  expect(rollUp([most]).count).toBe(2 ** 52);
  expect(() => rollUp([most, most])).toThrow(RangeError);
});

test("the number of events with a value completes a cell that was stored without it, and replaces none", () => {
  const old = { ...CELL, valued: 5 };
  expect(completes(CELL, old)).toBe(true);
  expect(completes(old, CELL)).toBe(false);
  expect(completes({ ...CELL, valued: 2 }, CELL)).toBe(false);
  expect(completes({ ...CELL, version: 10 }, old)).toBe(false);
  expect(completes({ ...CELL, sum: 31n }, old)).toBe(false);
  expect(completes(old, old)).toBe(false);
  expect(isSameCell(old, CELL)).toBe(false);
});

describe("a version", () => {
  it("is exact at its edges, and refused beyond them", () => {
    for (const [correction, received] of [
      [0, 0],
      [0, RECEIVED - 1],
      [1, 0],
      [2 ** 14, 0],
      [2 ** 24 - 1, RECEIVED - 1_000_001],
    ] as const) {
      const version = minuteVersion(correction, received);
      expect(BigInt(version)).toBe(BigInt(correction) * 2n ** 29n + BigInt(received));
      expect(versionOf(String(timestampMicros(version)))).toBe(version);
    }
    expect(() => minuteVersion(0, RECEIVED)).toThrow(RangeError);
    expect(() => minuteVersion(2 ** 24, 0)).toThrow(RangeError);
    expect(() => rollUp([{ ...CELL, version: 2 ** 53 - 1_000_000 }])).not.toThrow();
    expect(() =>
      rollUp([
        { ...CELL, version: 2 ** 53 - 1_000_000 },
        { ...CELL, version: 1 },
      ]),
    ).toThrow(RangeError);
  });
});

describe("a request", () => {
  const mutation = (bytes: number) => setCell("m", "q", 1, new Uint8Array(bytes));
  const rows = (count: number, mutations: number, bytes = 1) =>
    Array.from({ length: count }, (_, n) => ({
      key: `k${n}`,
      mutations: Array<ReturnType<typeof mutation>>(mutations).fill(mutation(bytes)),
    }));

  it("holds at most 500 rows, 20,000 mutations and 8 MiB, or one row", () => {
    expect(asRequests([])).toEqual([]);
    expect(asRequests(rows(501, 1)).map(({ length }) => length)).toEqual([500, 1]);
    expect(asRequests(rows(3, 10_000)).map(({ length }) => length)).toEqual([2, 1]);
    expect(asRequests(rows(5, 1, 3 << 20)).map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(asRequests(rows(2, 1, 90 << 20)).map(({ length }) => length)).toEqual([1, 1]);
    expect(asRequests(rows(1, LIMITS.rowMutations))).toHaveLength(1);
  });

  it("is refused where Bigtable would refuse it", () => {
    expect(() => asRequests(rows(1, LIMITS.rowMutations + 1))).toThrow(RangeError);
    expect(() => asRequests([{ key: "k".repeat(LIMITS.keyBytes + 1), mutations: [] }])).toThrow(RangeError);
    expect(asRequests([{ key: "k".repeat(LIMITS.keyBytes), mutations: [] }])).toHaveLength(1);
    expect(() => setCell("m", "q".repeat(LIMITS.qualifierBytes + 1), 1, new Uint8Array())).toThrow(RangeError);
    expect(() => setCell("m", "q".repeat(LIMITS.qualifierBytes), 1, new Uint8Array())).not.toThrow();
    const value = Object.defineProperty(new Uint8Array(1), "length", { value: LIMITS.valueBytes + 1 });
    expect(() => setCell("m", "q", 1, value)).toThrow(RangeError);
  });
});

test("a page of wide rows has few of them, one of narrow rows many", () => {
  const row = (cells: number) => ({ key: "k", cells: Array<RowCell>(cells) });
  expect(pageRows(Array(64).fill(row(1)))).toBe(512);
  expect(pageRows(Array(512).fill(row(1)))).toBe(1_000);
  expect(pageRows(Array(64).fill(row(10_000)))).toBe(10);
  expect(pageRows([row(2_000_000)])).toBe(1);
  expect(pageRows([row(0)])).toBe(8);
});
