// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { MinuteBooks } from "../../../domain/rules/books";
import { advanced, earliestLiveMark, evaluate, type Observation } from "../../../domain/rules/low-watermark";

const balanced = (events: number): MinuteBooks => ({
  accepted: events,
  archived: events,
  counted: events,
  duplicate: 0,
  late: 0,
  lost: 0,
});

describe("the marks of processes", () => {
  test("the earliest of those whose lease lasts stands", () => {
    const marks = [
      { throughMs: 5, leaseUntilMs: 100 },
      { throughMs: 3, leaseUntilMs: 101 },
      { throughMs: 9, leaseUntilMs: 102 },
      { throughMs: 1, leaseUntilMs: 0 },
    ];
    expect(earliestLiveMark(marks, 99)).toBe(3);
    // A lease ends at its time, not behind it.
    expect(earliestLiveMark(marks, 101)).toBe(9);
    expect(earliestLiveMark(marks, 102)).toBeUndefined();
    expect(earliestLiveMark([], 0)).toBeUndefined();
  });
});

describe("an open minute", () => {
  const evidence = {
    archivedThroughMs: 50,
    bookedThroughMs: 50,
    booksReadAtMs: 60,
    booksReadByMs: 65,
    open: [{ minute: 1, sinceMs: 20 }],
    books: new Map([[1, balanced(3)]]),
    observations: new Map<number, Observation>(),
    othersSinceMs: undefined,
  };
  const seenAt = (atMs: number, books = balanced(3)) => new Map([[1, { atMs, books }]]);

  test("stays open when its books are seen for the first time, and holds the watermark at its first event", () => {
    const { closed, observations, heldAtMs, throughMs } = evaluate(evidence);
    expect(closed).toEqual([]);
    expect(observations).toEqual(seenAt(65));
    expect([heldAtMs, throughMs]).toEqual([20, 20]);
  });

  test("is closed when the same books were seen before everything until then was archived and booked", () => {
    for (const [archivedThroughMs, bookedThroughMs] of [
      [50, 90],
      [90, 50],
    ]) {
      const through = { ...evidence, archivedThroughMs: archivedThroughMs!, bookedThroughMs: bookedThroughMs! };
      const result = evaluate({ ...through, observations: seenAt(50) });
      expect(result.closed).toEqual(evidence.open);
      expect(result.observations.size).toBe(0);
      expect([result.heldAtMs, result.throughMs]).toEqual([Number.POSITIVE_INFINITY, 50]);
      expect(evaluate({ ...through, observations: seenAt(51) }).closed).toEqual([]);
    }
  });

  test("is not closed by what was counted while its books were read: that may not be archived yet", () => {
    // At 62 the stream counted an event of 61, and not one of 59: sums were equal, and both were seen by 65.
    const through = { ...evidence, archivedThroughMs: 64, bookedThroughMs: 64, booksReadAtMs: 70, booksReadByMs: 71 };
    const first = evaluate(evidence);
    expect(evaluate({ ...through, observations: first.observations }).closed).toEqual([]);
    const later = { ...through, archivedThroughMs: 65, bookedThroughMs: 65 };
    expect(evaluate({ ...later, observations: first.observations }).closed).toEqual(evidence.open);
  });

  test("keeps the time at which its books were first as they are", () => {
    expect(evaluate({ ...evidence, observations: seenAt(55) }).observations).toEqual(seenAt(55));
  });

  test.each(["accepted", "archived", "counted", "duplicate", "late", "lost"] as const)(
    "is looked at anew when its %s changed",
    (name) => {
      const before = { ...balanced(3), [name]: balanced(3)[name] + 1 };
      expect(evaluate({ ...evidence, observations: seenAt(10, before) }).observations).toEqual(seenAt(65));
    },
  );

  test("stays open while its books do not balance, however long they are the same", () => {
    const late = { ...balanced(3), counted: 2, late: 1 };
    const unbalanced = { ...balanced(3), counted: 2 };
    for (const books of [late, unbalanced]) {
      const result = evaluate({ ...evidence, books: new Map([[1, books]]), observations: seenAt(10, books) });
      expect(result.closed).toEqual([]);
      expect(result.heldAtMs).toBe(20);
    }
  });

  test("without books is closed like one with empty books", () => {
    const none = { ...evidence, books: new Map<number, MinuteBooks>() };
    expect(evaluate({ ...none, observations: seenAt(10, balanced(0)) }).closed).toEqual(evidence.open);
    expect(evaluate(none).observations).toEqual(seenAt(65, balanced(0)));
  });
});

test("the watermark is the least of all that holds it", () => {
  const at = fc.nat(100);
  fc.assert(
    fc.property(
      at,
      at,
      at,
      fc.array(at, { maxLength: 3 }),
      fc.option(at, { nil: undefined }),
      (a, b, read, since, others) => {
        const { throughMs, heldAtMs } = evaluate({
          archivedThroughMs: a,
          bookedThroughMs: b,
          booksReadAtMs: read,
          booksReadByMs: read + 5,
          open: since.map((sinceMs, minute) => ({ minute, sinceMs })),
          books: new Map(since.map((_, minute) => [minute, { ...balanced(2), archived: 1 }])),
          observations: new Map(),
          othersSinceMs: others,
        });
        expect(heldAtMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...since, ...(others === undefined ? [] : [others])));
        expect(throughMs).toBe(Math.min(a, b, read, heldAtMs));
      },
    ),
  );
});

test("the watermark never falls, but to an event that turns out not to be counted", () => {
  expect(advanced(10, { throughMs: 20, heldAtMs: 30 })).toBe(20);
  expect(advanced(20, { throughMs: 10, heldAtMs: 30 })).toBe(20);
  expect(advanced(20, { throughMs: 10, heldAtMs: 15 })).toBe(15);
});
