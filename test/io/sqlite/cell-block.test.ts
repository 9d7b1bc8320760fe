// SPDX-License-Identifier: Apache-2.0
/** The bytes of packed cells: what goes in comes out, and what cannot go in is refused where it is written. */
import fc from "fast-check";
import { StoreUnavailableError } from "../../../io/ports";
import { BUCKETS, bucketOfRow, MAX_TIME, rowId, timeOf } from "../../../io/sqlite/block-tables";
import {
  Block,
  CORRECTION,
  COUNT,
  DamagedBlockError,
  decodeBlock,
  LAST,
  LOW,
  MID,
  REVISION,
  scanBlock,
  scanVideo,
  TOP,
  VALUED,
  WIDTH,
} from "../../../io/sqlite/cell-block";
import { encodeBlock } from "../ports/encoded-block";

const where = () => "row 7";
const safe = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.constantFrom(127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1),
  fc.maxSafeNat(),
);
const word = fc.oneof(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1), fc.nat({ max: 2 ** 32 - 1 }));

/** As most cells are: no value or one for each event, a small sum, never corrected. */
const usual = fc
  .tuple(fc.oneof(safe, fc.constant(1)), fc.boolean(), word, fc.oneof(fc.nat(60_000), fc.nat(2 ** 42)))
  .map(([count, isValued, low, last]) => [count, isValued ? count : 0, isValued ? low : 0, 0, 0, last, 0, 0]);

/** [count, valued, low, mid, top, last, correction, revision] by key. */
const cells = fc.uniqueArray(
  fc.tuple(
    fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 2 ** 40 })),
    fc.oneof(
      usual,
      fc.tuple(
        fc.oneof(safe, fc.constant(1)),
        ...([safe, word, word] as const),
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        fc.integer({ min: -(10 ** 13), max: 10 ** 13 }),
        ...([fc.nat(), fc.nat()] as const),
      ),
    ),
  ),
  { selector: ([key]) => key, maxLength: 80 },
);

function blockOf(all: readonly (readonly [number, readonly number[]])[]): Block {
  const block = new Block();
  for (const [key, numbers] of all) block.data.set(numbers, block.cell(key) * WIDTH + COUNT);
  return block;
}

const numbersOf = (block: Block) => Array.from(block.data.subarray(0, block.cells * WIDTH));

it("every cell comes out as it went in, in the order of keys, at any place in memory", () => {
  fc.assert(
    fc.property(cells, (all) => {
      const kept = all.filter(([, [count, , , , , , correction, revision]]) => count! + correction! + revision! > 0);
      const bytes = encodeBlock(blockOf(all));
      if (bytes === undefined) {
        expect(kept).toEqual([]);
        return;
      }
      const moved = new Uint8Array(bytes.length + 3);
      moved.set(bytes, 3);
      const decoded = decodeBlock(moved.subarray(3), new Block(), where);
      expect(numbersOf(decoded)).toEqual(numbersOf(blockOf(kept)));
      const scanned: number[] = [];
      scanBlock(bytes, where, (cell) => {
        scanned.push(...cell);
        return false;
      });
      expect(scanned).toEqual(numbersOf(decoded));
      for (const inside of [0, 1, 63]) {
        for (const fromType of [0, 1, 3]) {
          const own: number[] = [];
          scanVideo(bytes, where, inside, fromType, (cell) => {
            own.push(...cell);
            return false;
          });
          const isOwn = ([key]: readonly [number, unknown]) => key % 64 === inside && key >= fromType * 64;
          expect(own).toEqual(numbersOf(blockOf(kept.filter(isOwn))));
        }
      }
    }),
  );
});

it("sums of blocks are those of bigints, whatever their sign and size", () => {
  const amounts = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.bigInt(-(2n ** 90n), 2n ** 90n)), { maxLength: 20 });
  fc.assert(
    fc.property(amounts, (all) => {
      const sum = new Block();
      const expected = new Map<number, bigint>();
      for (const [key, amount] of all) {
        expected.set(key, (expected.get(key) ?? 0n) + amount);
        const one = blockOf([[key, [1, 1, ...limbs(amount), 5, 0, 0]]]);
        sum.add(one, 0);
      }
      for (const [key, amount] of expected) expect(sum.sum(sum.find(key) * WIDTH)).toBe(amount);
    }),
  );
});

const limbs = (sum: bigint) => [
  Number(BigInt.asUintN(32, sum)),
  Number(BigInt.asUintN(32, sum >> 32n)),
  Number(sum >> 64n),
];

it("a change of any byte is found", () => {
  const bytes = encodeBlock(
    blockOf([
      [3, [5, 5, 9, 0, 0, 40, 0, 0]],
      [70, [1, 0, 0, 0, 0, 7, 1, 2]],
    ]),
  )!;
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] = changed[at]! ^ 0x20;
    expect(() => decodeBlock(changed, new Block(), where)).toThrow(/row 7 is damaged/);
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeBlock(bytes.subarray(0, length), new Block(), where)).toThrow(DamagedBlockError);
  }
  expect(new DamagedBlockError("")).toBeInstanceOf(StoreUnavailableError);
});

it.each([
  ["count", COUNT],
  ["valued", VALUED],
  ["low part of the sum", LOW],
  ["middle part of the sum", MID],
  ["correction", CORRECTION],
  ["revision", REVISION],
])("a %s beyond 53 bits or below 0 is refused where it is written", (_, column) => {
  for (const value of [2 ** 53, -1, Number.NaN]) {
    const block = blockOf([[0, [1, 1, 1, 1, 0, 0, 1, 1]]]);
    block.data[column] = value;
    expect(() => encodeBlock(block)).toThrow(RangeError);
  }
  const largest = blockOf([[0, [1, 1, 1, 1, 0, 0, 1, 1]]]);
  largest.data[column] = 2 ** 53 - 1;
  expect(decodeBlock(encodeBlock(largest)!, new Block(), where).data[column]).toBe(2 ** 53 - 1);
});

it.each([
  ["rest of the sum", TOP],
  ["last event", LAST],
])("a %s beyond 52 bits is refused where it is written", (_, column) => {
  for (const value of [2 ** 52, -(2 ** 52) - 1]) {
    const block = blockOf([[0, [1, 1, 1, 0, 1, 0, 0, 0]]]);
    block.data[column] = value;
    expect(() => encodeBlock(block)).toThrow(RangeError);
    block.data[column] = Math.sign(value) * (2 ** 52 - 1);
    expect(decodeBlock(encodeBlock(block)!, new Block(), where).data[column]).toBe(block.data[column]);
  }
});

it("a row's id holds its time and its bucket, to the edge of each, and nothing beyond", () => {
  for (const time of [1 - MAX_TIME, -1, 0, 1, MAX_TIME - 1]) {
    for (const bucket of [0, 1, BUCKETS - 1]) {
      const id = rowId(time, bucket);
      expect(Number.isSafeInteger(id)).toBe(true);
      expect([timeOf(id), bucketOfRow(id)]).toEqual([time, bucket]);
    }
  }
  for (const [time, bucket] of [
    [MAX_TIME, 0],
    [-MAX_TIME, 0],
    [0, BUCKETS],
  ] as const) {
    expect(() => rowId(time, bucket)).toThrow(RangeError);
  }
});
