// SPDX-License-Identifier: Apache-2.0
/** The writes of the graph: counters and ledger, over the real embedded stores. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { FromResource, generate, runDirect, StageError } from "../../engine";
import type { CounterStore } from "../../io/ports";
import { type CountingOptions, countingGraph } from "../../pipelines/counting-graph";
import type { Message } from "../../transforms/elements";
import { RESOURCES } from "../../transforms/resource-names";
import { unwrittenCells, WrittenCells } from "../../transforms/written-cells";
import { T0 } from "../domain/model";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";
import { event, message, withResources } from "./elements";

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-writing-"));
  stores = await openStores(folder, await shared());
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

const M0 = minuteOf(T0);
const options: CountingOptions = {
  dedupePartitions: 2,
  videoShards: 2,
  allowedLatenessMs: -1,
  followCorrections: false,
  paneCache: "",
  writtenCells: "",
};

async function run(
  messages: readonly Message[],
  with_: Partial<CountingOptions> = {},
  more: Record<string, unknown> = {},
) {
  const ports = {
    [RESOURCES.counterStore]: stores.counters,
    [RESOURCES.ledger]: stores.ledger,
    [RESOURCES.deadLetters]: stores.deadLetters,
    "test/messages": messages,
    ...more,
  };
  await withResources(ports, () =>
    runDirect((root) => {
      countingGraph(generate<Message>(root, "Messages", new FromResource("test/messages")), { ...options, ...with_ });
    }),
  );
}

const cells = async () =>
  Object.fromEntries(
    [...(await storedCells(stores.counters)).totals].map(([name, { count, sum }]) => [name, [count, sum]]),
  );

const events = (n: number, more: Partial<VideoEvent> = {}) => Array.from({ length: n }, (_, i) => event(`e${i}`, more));

test("a run that is made again changes nothing", async () => {
  const messages = [message(events(5, { value: 2 })), message(events(3))];
  await run(messages);
  const before = [await cells(), await stores.ledger.books(M0, M0 + 1)];
  await run(messages);
  expect([await cells(), await stores.ledger.books(M0, M0 + 1)]).toEqual(before);
  expect(before).toMatchObject([{ "total v VIEW": [5, 10n] }, [{ counted: 5, duplicate: 3, late: 0, archived: 0 }]]);
});

test("a zombie that writes an older pane late changes nothing", async () => {
  await run([message(events(5, { value: 2 }))]);
  await run([message(events(3, { value: 1 }))]);
  expect(await cells()).toEqual({ "total v VIEW": [5, 10n] });
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ counted: 5, duplicate: 0 }]);
});

test("a cell that an audit has corrected stays as it is, unless the run follows corrections", async () => {
  await run([message(events(2))]);
  for await (const counts of stores.counters.minuteCells(M0, M0 + 1)) await stores.counters.correct([counts]);
  await run([message(events(4))]);
  expect(await cells()).toEqual({ "total v VIEW": [2, 0n] });
  await run([message(events(4))], { followCorrections: true });
  expect(await cells()).toEqual({ "total v VIEW": [4, 0n] });
});

test("cells that did not grow since they were written are not written again", async () => {
  const written = new WrittenCells(100);
  const applied: number[] = [];
  const counting = new Proxy(stores.counters, {
    get: (target, name) =>
      name === "apply"
        ? async (...args: Parameters<CounterStore["apply"]>) => {
            applied.push(...args[0].map(({ counts }) => counts.length));
            return target.apply(...args);
          }
        : Reflect.get(target, name),
  });
  const more = { [RESOURCES.counterStore]: counting, "test/written": written };
  const two = [message([...events(2), event("x", { videoId: "w" })])];
  await run(two, { writtenCells: "test/written", videoShards: 1 }, more);
  await run(two, { writtenCells: "test/written", videoShards: 1 }, more);
  expect(applied).toEqual([2]);
  await run([...two, message([event("y", { videoId: "w" })])], { writtenCells: "test/written", videoShards: 1 }, more);
  expect(applied).toEqual([2, 1]);
  const another = { ...more, "test/written": new WrittenCells(100) };
  await run(two, { writtenCells: "test/written", videoShards: 1 }, another);
  expect(applied).toEqual([2, 1, 2]);
  expect(await cells()).toEqual({ "total v VIEW": [2, 0n], "total w VIEW": [2, 0n] });
});

test("the books are written after the counters they speak of", async () => {
  const order: string[] = [];
  const noting = (port: object) =>
    new Proxy(port, {
      get: (target, member) => {
        const value: unknown = Reflect.get(target, member);
        if (member !== "apply" && member !== "writeRows") return value;
        return async (...args: unknown[]) => {
          const result: unknown = await (value as (...given: unknown[]) => Promise<unknown>).apply(target, args);
          order.push(member);
          return result;
        };
      },
    });
  const more = { [RESOURCES.counterStore]: noting(stores.counters), [RESOURCES.ledger]: noting(stores.ledger) };
  await run([message(events(5))], { videoShards: 3 }, more);
  expect(order.slice(0, -1).every((one) => one === "apply")).toBe(true);
  expect(order.at(-1)).toBe("writeRows");
});

test.each([
  ["counters", "apply", RESOURCES.counterStore, "WriteCounters"],
  ["ledger", "writeRows", RESOURCES.ledger, "WriteCounters"],
  ["deadLetters", "append", RESOURCES.deadLetters, "WriteDeadLetters"],
] as const)("a write of %s that fails, fails the run and names its stage", async (port, method, name, stage) => {
  const failing = new Proxy(stores[port] as object, {
    get: (target, member) =>
      member === method ? () => Promise.reject(new Error("the disk is full")) : Reflect.get(target, member),
  });
  const failed = run([message([event("a"), event("b", { videoId: "v v" })])], {}, { [name]: failing });
  await expect(failed).rejects.toBeInstanceOf(StageError);
  await expect(failed).rejects.toThrow(stage);
});

const counts = (minute: number, n: number) => ({
  minute,
  videos: Array.from({ length: n }, (_, i) => `v${i}`),
  types: ["VIEW"],
  videoIndex: Uint32Array.from({ length: n }, (_, i) => i),
  typeIndex: new Uint32Array(n),
  counts: new Float64Array(n).fill(1),
  sumHigh: new Float64Array(n),
  sumLow: new Float64Array(n),
  valued: new Float64Array(n),
  lastMsInMinute: new Uint16Array(n),
});

test.each(["counts", "valued", "sumHigh", "sumLow", "lastMsInMinute"] as const)(
  "a cell has grown when its %s has",
  (column) => {
    const written = new WrittenCells(3);
    written.remember(counts(1, 2));
    const next = counts(1, 2);
    next[column][1] = 2;
    expect(written.grown(next)).toEqual([1]);
  },
);

test("a cell that received a repeat has grown, and goes on with all its columns; the others stay away", () => {
  const written = new WrittenCells(10);
  const given = (received: number[]) => ({
    ...{ ...counts(1, 3), received: Float64Array.from(received) },
    ...{ lastMsInMinute: Uint16Array.of(7, 8, 9), valued: Float64Array.of(4, 5, 6) },
    ...{ sumHigh: Float64Array.of(1, 2, 3), sumLow: Float64Array.of(3, 2, 1), counts: Float64Array.of(10, 11, 12) },
  });
  written.remember(given([20, 21, 22]));
  expect(written.grown(given([20, 21, 22]))).toEqual([]);
  const all = given([30, 21, 23]);
  expect(unwrittenCells(new WrittenCells(10), all)).toBe(all);
  expect(unwrittenCells(written, all)).toEqual({
    ...{ minute: 1, videos: all.videos, types: all.types, videoIndex: Uint32Array.of(0, 2) },
    ...{ typeIndex: Uint32Array.of(0, 0), counts: Float64Array.of(10, 12), valued: Float64Array.of(4, 6) },
    ...{ sumHigh: Float64Array.of(1, 3), sumLow: Float64Array.of(3, 1), lastMsInMinute: Uint16Array.of(7, 9) },
    received: Float64Array.of(30, 23),
  });
  const plain = new WrittenCells(10);
  plain.remember(counts(1, 2));
  expect(unwrittenCells(plain, counts(1, 3))).not.toHaveProperty("received");
});

test("what was written is known of each cell, more of them than a table begins with", () => {
  const written = new WrittenCells(1_000);
  written.remember(counts(1, 200));
  const next = counts(1, 201);
  next.counts[150] = 2;
  expect(written.grown(next)).toEqual([150, 200]);
});

test("what was written is known of each cell and of no other, as a Map would know it", () => {
  const number = fc.integer({ min: 0, max: 2 });
  const row = fc.record({
    video: fc.integer({ min: 0, max: 3 }),
    type: fc.integer({ min: 0, max: 1 }),
    count: number,
    low: number,
  });
  const step = fc.record({ minute: fc.integer({ min: 1, max: 2 }), rows: fc.array(row, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const written = new WrittenCells(1_000);
      const model = new Map<string, string>();
      for (const { minute, rows } of steps) {
        const unique = [...new Map(rows.map((each) => [`${each.video} ${each.type}`, each])).values()];
        const given = { ...counts(minute, unique.length), types: ["VIEW", "LIKE"], videos: ["a", "b", "c", "d"] };
        unique.forEach(({ video, type, count, low }, at) => {
          given.videoIndex[at] = video;
          given.typeIndex[at] = type;
          given.counts[at] = count;
          given.sumLow[at] = low;
        });
        const names = unique.map(({ video, type }) => `${minute} ${video} ${type}`);
        const versions = unique.map(({ count, low }) => `${count} ${low}`);
        expect(written.grown(given)).toEqual(
          names.flatMap((name, at) => (model.get(name) === versions[at] ? [] : [at])),
        );
        written.remember(given);
        for (const [at, name] of names.entries()) model.set(name, versions[at]!);
      }
    }),
  );
});

test("what was written of each cell is forgotten by minute, the oldest first, beyond the bound", () => {
  const written = new WrittenCells(3);
  written.remember(counts(1, 2));
  written.remember(counts(2, 1));
  expect([written.grown(counts(1, 2)), written.grown(counts(2, 1))]).toEqual([[], []]);
  written.remember(counts(3, 1));
  expect([written.grown(counts(1, 2)), written.grown(counts(2, 1)), written.grown(counts(3, 1))]).toEqual([
    [0, 1],
    [],
    [],
  ]);
  written.remember(counts(2, 1));
  written.remember(counts(4, 2));
  expect([written.grown(counts(2, 1)), written.grown(counts(3, 1)), written.grown(counts(4, 2))]).toEqual([
    [],
    [0],
    [],
  ]);
});
