// SPDX-License-Identifier: Apache-2.0
/** The book of receipt stamps against a list that is looked through, over any calls. */
import fc from "fast-check";
import { StampBook } from "../../ingest-api/stamp-book";
import { STAMP_MEMORY_MS, type Stamp } from "../../io/ports";

const MOST = 3;
const key = fc.constantFrom("a", "b", "c", "d");
const calls = fc.array(
  fc.record({ key, afterMs: fc.constantFrom(0, 1, STAMP_MEMORY_MS / 2, STAMP_MEMORY_MS - 1, STAMP_MEMORY_MS) }),
  { maxLength: 30 },
);

it("a key has one stamp for ten minutes, and a full book gives none until the oldest expires", () => {
  fc.assert(
    fc.property(calls, (asked) => {
      const book = new StampBook(MOST);
      let model: Stamp[] = [];
      let nowMs = 1_000;
      for (const { key: name, afterMs } of asked) {
        nowMs += afterMs;
        const fresh = model.filter(({ stampedAtMs }) => nowMs - stampedAtMs < STAMP_MEMORY_MS);
        const known = fresh.find((stamp) => stamp.key === name);
        // A known key is answered without a look at the others, which may then be in the book for longer.
        if (known === undefined) model = fresh;
        const expected = known ?? (model.length < MOST ? { key: name, stampedAtMs: nowMs } : undefined);
        if (known === undefined && expected !== undefined) model.push(expected);
        const stamp = book.stampOf(name, nowMs);
        expect(stamp && { key: stamp.key, stampedAtMs: stamp.stampedAtMs }).toEqual(expected);
        expect(book.size).toBe(model.length);
      }
    }),
  );
});

it("a clock that was ahead leaves no stamps behind that fill the book until it has caught up", () => {
  const book = new StampBook(MOST);
  const day = 86_400_000;
  for (const name of ["a", "b", "c"]) book.stampOf(name, day);
  // A retry keeps its stamp, and the book is full, as always within ten minutes.
  expect(book.stampOf("a", 1)!.stampedAtMs).toBe(day);
  expect(book.stampOf("d", STAMP_MEMORY_MS)).toBeUndefined();
  expect(book.stampOf("d", STAMP_MEMORY_MS + 1)!.stampedAtMs).toBe(STAMP_MEMORY_MS + 1);
  expect(book.stampOf("a", STAMP_MEMORY_MS + 2)!.stampedAtMs).toBe(STAMP_MEMORY_MS + 2);
  const loaded = new StampBook(1);
  loaded.load([{ key: "a", stampedAtMs: day }]);
  expect(loaded.stampOf("b", 5)).toBeUndefined();
  expect(loaded.stampOf("b", 5 + STAMP_MEMORY_MS)).toMatchObject({ key: "b" });
});

it("requests that are stamped out of their order look at no other stamps", () => {
  const book = new StampBook(1_000);
  for (let n = 0; n < 1_000; n++) book.stampOf(`k${n}`, 10_000 + n);
  const entries = (book as unknown as { entries: Map<string, unknown> }).entries;
  const walked = vi.spyOn(entries, "values");
  for (let n = 0; n < 1_000; n++)
    expect(book.stampOf(`k${n}`, 8_000 + ((n * 7) % 3_000))!.stampedAtMs).toBe(10_000 + n);
  expect(walked).not.toHaveBeenCalled();
});

it("loaded stamps are known, durable, and expire the oldest first, in whatever order they were loaded", () => {
  const book = new StampBook(MOST);
  book.load([
    { key: "late", stampedAtMs: 300 },
    { key: "early", stampedAtMs: 100 },
    { key: "middle", stampedAtMs: 200 },
  ]);
  expect(book.size).toBe(3);
  const late = book.stampOf("late", 400)!;
  expect(late.stampedAtMs).toBe(300);
  expect(book.toPersist([late])).toEqual([]);
  expect(book.stampOf("new", STAMP_MEMORY_MS + 99)).toBeUndefined();
  expect(book.stampOf("new", STAMP_MEMORY_MS + 100)).toMatchObject({ key: "new" });
  expect(book.size).toBe(3);
  book.load([{ key: "late", stampedAtMs: 500 }]);
  expect([book.size, book.stampOf("late", 501)!.stampedAtMs]).toEqual([3, 500]);
});

it("a stamp is written by every request that uses it until one has made it durable", () => {
  const book = new StampBook(MOST);
  const [a, b] = [book.stampOf("a", 1)!, book.stampOf("b", 2)!];
  expect(book.stampOf("a", 3)).toBe(a);
  expect(book.toPersist([a, b, a])).toEqual([
    { key: "a", stampedAtMs: 1 },
    { key: "b", stampedAtMs: 2 },
  ]);
  book.markDurable([a]);
  expect(book.toPersist([a, b])).toEqual([{ key: "b", stampedAtMs: 2 }]);
});

it("what the instances agree on replaces proposals alone, also for requests that hold them", () => {
  const book = new StampBook(MOST);
  const [a, b] = [book.stampOf("a", 1)!, book.stampOf("b", 2)!];
  book.markDurable([a]);
  book.settle([
    { key: "a", stampedAtMs: 7 },
    { key: "b", stampedAtMs: 8 },
    { key: "unknown", stampedAtMs: 9 },
  ]);
  expect([a.stampedAtMs, b.stampedAtMs, book.size]).toEqual([1, 8, 2]);
  expect(book.toPersist([a, b])).toEqual([]);
  book.settle([{ key: "b", stampedAtMs: 10 }]);
  expect(book.stampOf("b", 11)!.stampedAtMs).toBe(8);
});
