// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  type Acceptance,
  acceptedOf,
  isArchiveCounted,
  isBalanced,
  isCounted,
  lostOf,
  type MinuteBooks,
  unbookedOf,
  withSettled,
} from "../../../domain/rules/books";
import { isExpired, LedgerBooks, MinuteObjectSums } from "../../../domain/rules/ledger-books";
import { lateReceiptPart, shardPart } from "../../../domain/rules/ledger-parts";

const EMPTY: MinuteBooks = { accepted: 0, archived: 0, counted: 0, duplicate: 0, late: 0, lost: 0 };
const few = fc.nat(5);

test("accepted is what instances promised or messages declare, the larger, with direct and backfilled events", () => {
  const base: Acceptance = { promised: 5, declared: 3, direct: 7, backfilled: 11 };
  expect(acceptedOf(base)).toBe(23);
  expect(acceptedOf({ ...base, declared: 6 })).toBe(24);
});

test("declared events beyond the promised ones are unbooked where instances keep accounts, and only there", () => {
  expect(unbookedOf({ promised: 2, declared: 5 })).toBe(3);
  expect(unbookedOf({ promised: 5, declared: 2 })).toBe(0);
  expect(unbookedOf({ promised: 0, declared: 5 })).toBe(0);
});

test("what was written off is lost as far as it is missing", () => {
  expect(lostOf({ accepted: 10, archived: 7 }, 2)).toBe(2);
  expect(lostOf({ accepted: 10, archived: 7 }, 5)).toBe(3);
  expect(lostOf({ accepted: 10, archived: 12 }, 5)).toBe(0);
  expect(lostOf({ accepted: 10, archived: 7 }, 0)).toBe(0);
});

test("books balance where every accepted event is somewhere, and none waits for an audit once they are counted", () => {
  fc.assert(
    fc.property(few, few, few, few, (counted, duplicate, late, lost) => {
      const archived = counted + duplicate + late;
      const books = { accepted: archived + lost, archived, counted, duplicate, late, lost };
      expect(isBalanced(books)).toBe(true);
      expect(isCounted(books)).toBe(late === 0);
      for (const name of Object.keys(books) as (keyof MinuteBooks)[]) {
        const off = { ...books, [name]: books[name] + 1 };
        expect(isBalanced(off), name).toBe(false);
        expect(isCounted(off), name).toBe(false);
      }
    }),
  );
});

test("an audit of a whole minute replaces the stream's numbers, and what was archived since waits", () => {
  const books = { ...EMPTY, archived: 10, counted: 4, duplicate: 1, late: 5 };
  const settled = { counted: 6, duplicate: 2, archived: 8 };
  expect(withSettled(books, settled)).toEqual({ ...books, counted: 6, duplicate: 2, late: 2 });
  expect(withSettled({ ...books, archived: 3 }, settled).late).toBe(0);
});

test("an audit of an earlier release added what it counted of the late events", () => {
  const books = { ...EMPTY, archived: 10, counted: 4, duplicate: 1, late: 5 };
  expect(withSettled(books, { counted: 2, duplicate: 1 })).toEqual({ ...books, counted: 6, duplicate: 2, late: 2 });
  expect(withSettled(books, { counted: 9, duplicate: 1 }).late).toBe(0);
});

describe("the objects of a minute", () => {
  test("sum up, direct events apart from those that an ingest instance answered for", () => {
    const sums = new MinuteObjectSums();
    sums.add({ name: "m/w-1.avro", events: 9, accepted: 8, direct: 3 });
    sums.add({ name: "m/w-2.avro", events: 2 });
    expect(sums).toMatchObject({ archived: 11, declared: 5, direct: 3, backfilled: 0 });
  });

  test("a message that is in two of them counts once, with all it says", () => {
    const sums = new MinuteObjectSums();
    const one = { id: "1", events: 4, accepted: 4 };
    const two = { id: "2", events: 5, accepted: 5, direct: 2 };
    sums.add({ name: "m/w-1.avro", events: 9, accepted: 9, messages: [one, two] });
    sums.add({ name: "m/x-1.avro", events: 4, accepted: 4, messages: [one] });
    sums.add({ name: "m/x-2.avro", events: 6, accepted: 6, messages: [two, { id: "3", events: 1, accepted: 1 }] });
    expect(sums).toMatchObject({ archived: 10, declared: 8, direct: 2, backfilled: 0 });
  });

  test("of a backfill are backfilled, whatever else they say", () => {
    const sums = new MinuteObjectSums();
    sums.add({ name: "m/backfill-1.avro", events: 4 });
    expect(sums).toMatchObject({ archived: 4, declared: 0, direct: 0, backfilled: 4 });
  });
});

describe("books that are put together from a store's rows", () => {
  const stream = (counted: number, duplicate = 0, late = 0, reusedIds = 0) => ({ counted, duplicate, late, reusedIds });

  test("are the same for any order of the rows, ascending by minute", () => {
    const rows: ((books: LedgerBooks) => void)[] = [
      (books) => books.promised(7, 2),
      (books) => books.promised(7, 3),
      (books) => books.object(7, { name: "m/w-1.avro", events: 4, accepted: 4 }),
      (books) => books.object(7, { name: "m/w-2.avro", events: 1, accepted: 1 }),
      (books) => books.stream(7, stream(1, 1, 0, 1)),
      (books) => books.stream(7, stream(2, 0, 1, 1)),
      (books) => books.promised(-3, 1),
      (books) => books.writtenOff({ minute: -3, events: 1, reason: "disk", atMs: 5, auditId: "a" }),
    ];
    const expected = [
      {
        ...EMPTY,
        ...{ minute: -3, accepted: 1, promised: 1, declared: 0, direct: 0, backfilled: 0, lost: 1, reusedIds: 0 },
        writtenOff: { minute: -3, events: 1, reason: "disk", atMs: 5, auditId: "a" },
      },
      {
        ...{ minute: 7, accepted: 5, promised: 5, declared: 5, direct: 0, backfilled: 0, archived: 5 },
        ...{ counted: 3, duplicate: 1, late: 1, lost: 0, reusedIds: 2 },
      },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (shuffled) => {
        const books = new LedgerBooks();
        for (const row of shuffled) row(books);
        expect(books.minutes()).toStrictEqual(expected);
      }),
    );
  });

  test("take sums of objects in place of the objects", () => {
    const books = new LedgerBooks();
    books.objects(1, { archived: 9, declared: 4, direct: 3, backfilled: 2 });
    expect(books.minutes()).toMatchObject([{ accepted: 9, archived: 9, declared: 4, direct: 3, backfilled: 2 }]);
    books.object(1, { name: "m/w-1.avro", events: 1, accepted: 1 });
    expect(books.minutes()).toMatchObject([{ accepted: 1, archived: 1 }]);
  });

  test("are settled by an audit of the whole minute, which an audit of late events alone does not replace", () => {
    const whole = { counted: 5, duplicate: 1, archived: 6 };
    const lateOnly = { counted: 1, duplicate: 0 };
    const settledBy = (...audits: { counted: number; duplicate: number; archived?: number }[]) => {
      const books = new LedgerBooks();
      books.object(1, { name: "m/w-1.avro", events: 6, accepted: 6 });
      books.stream(1, stream(4, 0, 2));
      for (const audit of audits) books.settled(1, audit);
      return books.minutes();
    };
    expect(settledBy(lateOnly)).toMatchObject([{ counted: 5, duplicate: 0, late: 1 }]);
    expect(settledBy(lateOnly)[0]).not.toHaveProperty("isSettled");
    for (const audits of [[whole], [whole, lateOnly], [lateOnly, whole]])
      expect(settledBy(...audits)).toMatchObject([{ counted: 5, duplicate: 1, late: 0, isSettled: true }]);
    expect(settledBy(whole, { counted: 2, duplicate: 4, archived: 6 })).toMatchObject([{ counted: 2, duplicate: 4 }]);
  });

  test("a minute without rows is not there", () => {
    expect(new LedgerBooks().minutes()).toEqual([]);
  });
});

test("the parts of a minute that different writers keep never meet", () => {
  expect(shardPart(0)).toBe(0);
  expect(shardPart(63)).toBe(63);
  expect(lateReceiptPart(64, 0)).toBe(64);
  expect(lateReceiptPart(64, 29_000_000)).toBe(29_000_064);
});

test("what is archived is counted where every event was counted or is a duplicate", () => {
  for (const [archived, counted, duplicate, isCounted] of [
    [5, 3, 2, true],
    [0, 0, 0, true],
    [5, 3, 1, false],
    [1, 3, 2, false],
  ] as const)
    expect(isArchiveCounted({ archived, counted, duplicate } as Parameters<typeof isArchiveCounted>[0])).toBe(
      isCounted,
    );
});

test("an object is expired where it had events and has no bytes", () => {
  const sizes = [
    [1, 0, true],
    [0, 0, false],
    [1, 1, false],
    [0, 1, false],
  ] as const;
  for (const [events, sizeBytes, expired] of sizes) expect(isExpired({ events, sizeBytes })).toBe(expired);
});
