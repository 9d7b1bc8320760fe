// SPDX-License-Identifier: Apache-2.0
/** Changes merged into the bytes of a block: the bytes are those of the block whose cells were changed one by one. */
import fc from "fast-check";
import { isLaterCell } from "../../../domain/rules/cell-version";
import {
  Block,
  CORRECTION,
  COUNT,
  CRC_BYTES,
  encodeCells,
  KEY,
  LAST,
  LOW,
  MID,
  REVISION,
  TOP,
  VALUED,
  WIDTH,
} from "../../../io/sqlite/cell-block";
import { CellMerge } from "../../../io/sqlite/cell-merge";
import { encodeBlock } from "../ports/encoded-block";

interface Numbers {
  key: number;
  count: number;
  valued: number;
  sum: bigint;
  last: number;
  correction: number;
  revision: number;
}

const key = fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 300 }), fc.constant(2 ** 20));
const count = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 ** 33 }));
const sum = fc.oneof(fc.bigInt(0n, 9n), fc.bigInt(0n, 2n ** 40n), fc.constant(2n ** 32n));
const usual = fc
  .tuple(key, count, fc.double({ min: 0, max: 1, noNaN: true }), sum, fc.nat({ max: 59_999 }))
  .map(([its, events, share, total, last]): Numbers => {
    const valued = share > 0.6 ? events : Math.floor(events * share);
    return { key: its, count: events, valued, sum: valued === 0 ? 0n : total, last, correction: 0, revision: 0 };
  });
const rare = fc
  .tuple(usual, fc.bigInt(-(2n ** 90n), 2n ** 90n), fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.boolean())
  .map(([cell, total, correction, revision, isGone]): Numbers => {
    const its = { ...cell, correction, revision };
    return isGone ? { ...its, count: 0, valued: 0, sum: 0n, last: 0 } : { ...its, valued: cell.count, sum: total };
  });
const cells = (of: fc.Arbitrary<Numbers>) =>
  fc
    .uniqueArray(of, { selector: (cell) => cell.key, maxLength: 40 })
    .map((all) => all.toSorted((a, b) => a.key - b.key));

function put(block: Block, cell: Numbers): void {
  const at = block.cell(cell.key) * WIDTH;
  const { data } = block;
  [data[at + COUNT], data[at + VALUED], data[at + LAST]] = [cell.count, cell.valued, cell.last];
  data[at + LOW] = Number(BigInt.asUintN(32, cell.sum));
  data[at + MID] = Number(BigInt.asUintN(32, cell.sum >> 32n));
  data[at + TOP] = Number(cell.sum >> 64n);
  [data[at + CORRECTION], data[at + REVISION]] = [cell.correction, cell.revision];
}

function blockOf(all: readonly Numbers[]): Block {
  const block = new Block();
  for (const cell of all) put(block, cell);
  return block;
}

/** The stored bytes, in memory of their own, with what a block had there before behind them. */
function storedOf(block: Block) {
  const { bytes, length } = encodeCells(block);
  const own = new Uint8Array(length + 50).fill(0x7f);
  own.set(bytes.subarray(0, length));
  return { bytes: own, length };
}

function state(block: Block, cell: number) {
  const [count = 0, valued = 0, low = 0, mid = 0, top = 0, last = 0, correction = 0] = block.data.subarray(
    cell * WIDTH + COUNT,
    cell * WIDTH + REVISION,
  );
  return { count, valued, low, mid, top, last, correction };
}

/** The block with the later states; undefined where a cell of the given ones has to be looked at by itself. */
function changed(stored: readonly Numbers[], states: readonly Numbers[]): { block: Block; keys: number[] } | undefined {
  const [block, given] = [blockOf(stored), blockOf(states)];
  const keys: number[] = [];
  for (const [n, next] of states.entries()) {
    const known = stored.find((cell) => cell.key === next.key);
    if (next.count === 0 || next.correction > 0 || next.sum < 0n || next.sum >= 2n ** 53n) return undefined;
    if (known === undefined) keys.push(next.key);
    else {
      if (known.correction > 0 || known.revision > 0 || known.sum < 0n || known.sum >= 2n ** 53n) return undefined;
      if (!isLaterCell(state(given, n), state(block, block.find(next.key)))) continue;
      if (next.last < known.last) return undefined;
      keys.push(next.key);
    }
    put(block, { ...next, revision: 0 });
  }
  return { block, keys };
}

const bytesOf = ({ bytes, length }: CellMerge) => (length === 0 ? undefined : Array.from(bytes.subarray(0, length)));
const expectedOf = (block: Block) => {
  const bytes = encodeBlock(block);
  return bytes && Array.from(bytes.subarray(0, -CRC_BYTES));
};

it("later states are in the bytes as in the cells, and their differences lead from one to the other", () => {
  const merge = new CellMerge();
  const some = cells(fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: rare }));
  let refused = 0;
  let merged = 0;
  fc.assert(
    fc.property(some, some, (stored, states) => {
      const bytes = storedOf(blockOf(stored));
      const expected = changed(stored, states);
      expect(merge.states(bytes, blockOf(states).data, states.length)).toBe(expected !== undefined);
      if (expected === undefined) {
        refused++;
        return;
      }
      merged++;
      expect(bytesOf(merge)).toEqual(expectedOf(expected.block));
      expect(Array.from({ length: merge.moved }, (_, n) => merge.moves[n * WIDTH + KEY])).toEqual(expected.keys);
      const moved = blockOf(stored);
      for (let at = 0; at < merge.moved * WIDTH; at += WIDTH) {
        const to = moved.cell(merge.moves[at]!) * WIDTH;
        const [events, valued, low, mid, top, last] = merge.moves.subarray(at + COUNT, at + CORRECTION);
        moved.move(to, events!, valued!, low!, mid!, top!);
        moved.data[to + LAST] = last!;
      }
      expect(expectedOf(moved)).toEqual(expectedOf(expected.block));
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(refused, merged)).toBeGreaterThan(100);
});

it("sums are in the bytes as in the cells, wherever a block begins", () => {
  const merge = new CellMerge();
  const some = cells(fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: rare }));
  const isUsual = (cell: Numbers) => cell.sum >= 0n && cell.sum < 2n ** 53n;
  let merged = 0;
  fc.assert(
    fc.property(some, cells(usual), fc.integer({ min: -30_000, max: 2 ** 42 }), (stored, moves, offsetMs) => {
      const block = blockOf(stored);
      const bytes = storedOf(block);
      const touched = stored.filter((cell) => moves.some((move) => move.key === cell.key));
      const isTaken =
        touched.every((cell) => isUsual(cell) && cell.correction + cell.revision === 0) &&
        moves.every((move) => move.last + offsetMs >= 0);
      expect(merge.sums(bytes, blockOf(moves).data, moves.length, offsetMs)).toBe(isTaken);
      if (!isTaken) return;
      merged++;
      block.add(blockOf(moves), offsetMs);
      expect(bytesOf(merge)).toEqual(expectedOf(block));
    }),
    { numRuns: 2_000 },
  );
  expect(merged).toBeGreaterThan(100);
});

it("refuses what would go beyond 53 bits, differences below 0, and a cell that is given twice", () => {
  const merge = new CellMerge();
  const one = { key: 3, count: 1, valued: 1, sum: 1n, last: 5, correction: 0, revision: 0 };
  const stored = storedOf(blockOf([{ ...one, count: 2 ** 53 - 1, sum: 2n ** 53n - 1n }]));
  expect(merge.sums(stored, blockOf([{ ...one, sum: 0n, valued: 0 }]).data, 1, 0)).toBe(false);
  expect(merge.sums(storedOf(blockOf([{ ...one, sum: 2n ** 53n - 1n }])), blockOf([one]).data, 1, 0)).toBe(false);
  expect(merge.sums(storedOf(blockOf([one])), blockOf([{ ...one, count: 0 }]).data, 1, 0)).toBe(false);
  expect(merge.sums(storedOf(blockOf([one])), blockOf([{ ...one, sum: -1n }]).data, 1, 0)).toBe(false);
  const twice = new Float64Array(2 * WIDTH);
  twice.set(blockOf([one]).data.subarray(0, WIDTH));
  twice.set(blockOf([{ ...one, count: 2 }]).data.subarray(0, WIDTH), WIDTH);
  expect(merge.states(storedOf(blockOf([])), twice, 2)).toBe(false);
  expect(merge.states(storedOf(blockOf([])), twice, 1)).toBe(true);
  expect(merge.sums(storedOf(blockOf([])), twice, 2, 0)).toBe(false);
  expect(merge.sums(storedOf(blockOf([])), twice, 1, 0)).toBe(true);
});
