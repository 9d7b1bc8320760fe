// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { type Fetched, gapsIn, PartitionQueue } from "../../../io/kafka/partition-queue";

/** A partition, its committed position, and a reader of it that may die at any moment. */
class Partition {
  readonly offsets: number[] = [];
  end = 0;
  committed: { offset: number; redoThrough?: number } = { offset: 0 };
  queue = new PartitionQueue<Fetched>(this.committed);
  /** The content of every range. */
  readonly given = new Map<string, number[]>();
  readonly done = new Set<number>();

  append(kinds: readonly boolean[]): void {
    for (const isMessage of kinds) {
      if (isMessage) this.offsets.push(this.end);
      this.end++;
    }
  }
  fetch(count: number): void {
    const through = Math.min(this.end, this.queue.nextOffset + count) - 1;
    const found = this.offsets.filter((offset) => offset >= this.queue.nextOffset && offset <= through);
    if (through >= this.queue.nextOffset)
      this.queue.push(
        found.map((offset) => ({ offset, sizeBytes: 10 })),
        through,
      );
  }
  take(maxMessages: number, maxBytes: number): void {
    const range = this.queue.take(maxMessages, maxBytes);
    if (range === undefined) return;
    this.committed = { offset: range.first, redoThrough: range.last };
    const offsets = range.messages.map(({ offset }) => offset);
    const name = `${range.first}-${range.last}`;
    expect(this.given.get(name) ?? offsets).toEqual(offsets);
    this.given.set(name, offsets);
    this.open = range;
  }
  open: { first: number; last: number; messages: Fetched[] } | undefined;
  finish(): void {
    if (this.open === undefined) return;
    const next = this.queue.afterOpen;
    expect(next).toBeGreaterThan(this.open.last);
    this.committed = { offset: next };
    for (const { offset } of this.open.messages) {
      expect(this.done.has(offset)).toBe(false);
      this.done.add(offset);
    }
    this.queue.finish(next);
    this.open = undefined;
  }
  passMarkers(): void {
    const { idleAt } = this.queue;
    if (idleAt !== undefined) this.committed = { offset: idleAt };
  }
  abandon(): void {
    if (this.open !== undefined) this.queue.giveBack();
    this.open = undefined;
  }
  die(): void {
    this.queue = new PartitionQueue<Fetched>(this.committed);
    this.open = undefined;
  }
}

type Step = (partition: Partition) => void;
const steps = fc.array(
  fc.oneof(
    fc.array(fc.boolean(), { maxLength: 8 }).map(
      (kinds): Step =>
        (partition) =>
          partition.append(kinds),
    ),
    fc.integer({ min: 1, max: 6 }).map(
      (count): Step =>
        (partition) =>
          partition.fetch(count),
    ),
    fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 60 })).map(
      ([count, bytes]): Step =>
        (partition) =>
          partition.take(count, bytes),
    ),
    fc.constantFrom<Step>(
      (partition) => partition.finish(),
      (partition) => partition.abandon(),
      (partition) => partition.die(),
      (partition) => partition.passMarkers(),
    ),
  ),
  { maxLength: 80 },
);

describe("PartitionQueue", () => {
  it("gives every message in exactly one range, which is the same whenever it is given, whatever dies when", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const partition = new Partition();
        for (const step of script) step(partition);
        for (let n = 0; n < 200; n++) {
          partition.fetch(7);
          partition.take(3, 1_000);
          partition.finish();
        }
        partition.passMarkers();
        expect(partition.committed).toEqual({ offset: partition.end });
        expect([...partition.done].sort((a, b) => a - b)).toEqual(partition.offsets);
        const given = [...partition.given.values()].flat();
        expect(new Set(given).size).toBe(given.length);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps to its limits", () => {
    const queue = new PartitionQueue<Fetched>({ offset: 0 });
    queue.push(
      [0, 1, 2, 3].map((offset) => ({ offset, sizeBytes: 10 })),
      3,
    );
    expect(queue.fills(4, 1_000)).toBe(true);
    expect(queue.fills(5, 1_000)).toBe(false);
    expect(queue.take(10, 25)!.messages).toHaveLength(2);
    queue.finish(queue.afterOpen);
    expect(queue.take(1, 1)!.messages).toHaveLength(1);
    expect(queue.take(1, 1)).toBeUndefined();
    expect(queue.waitingBytes).toBe(10);
  });

  it("gives a range that is to be taken again under its name with what the log still has, and drops it when nothing is left", () => {
    const partly = new PartitionQueue<Fetched>({ offset: 5, redoThrough: 9 });
    partly.skipTo(8);
    partly.push([{ offset: 8, sizeBytes: 1 }], 8);
    expect(partly.take(10, 10)).toBeUndefined();
    partly.push(
      [
        { offset: 9, sizeBytes: 1 },
        { offset: 10, sizeBytes: 1 },
      ],
      10,
    );
    expect(partly.take(1, 1)).toMatchObject({ first: 5, last: 9, messages: [{ offset: 8 }, { offset: 9 }] });
    const gone = new PartitionQueue<Fetched>({ offset: 5, redoThrough: 9 });
    gone.skipTo(20);
    gone.push([{ offset: 20, sizeBytes: 1 }], 20);
    expect(gone.take(10, 10)).toMatchObject({ last: 20, messages: [{ offset: 20 }] });
  });

  it("tells the offsets that hold nothing", () => {
    const present = fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map((offsets) => offsets.sort((a, b) => a - b));
    fc.assert(
      fc.property(present, fc.nat(30), (offsets, next) => {
        const from = offsets.filter((offset) => offset >= next);
        const missing = [...gapsIn(next, from)].flatMap(([first, end]) =>
          Array.from({ length: end - first }, (_, n) => first + n),
        );
        const last = from.at(-1) ?? next - 1;
        const expected = Array.from({ length: last + 1 }, (_, n) => n).filter((n) => n >= next && !from.includes(n));
        expect(missing).toEqual(expected);
      }),
    );
  });
});
