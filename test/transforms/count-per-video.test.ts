// SPDX-License-Identifier: Apache-2.0
import { BlockPartitioner } from "../../domain/columns/block-partitioner";
import { packPane } from "../../domain/columns/count-block";
import { openBlock } from "../../domain/columns/event-block";
import { Pane } from "../../domain/columns/pane";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { NO_LATENESS } from "../../domain/rules/lateness";
import { CountPerVideo } from "../../transforms/count-per-video";
import type { CountElement } from "../../transforms/elements";
import { cellsOf, columnsOf, T0 } from "../domain/model";
import { event } from "./elements";

/** A seed of zeros would let ids collide, and a table of 40,000 take seconds. */
const seed = Uint32Array.from({ length: 8 }, (_, word) => Math.imul(word + 1, 0x9e37_79b1));
let firings = 0;

/** Returns the elements that a partition's pane of these events sends to the one video shard. */
function pane(partition: number, events: readonly VideoEvent[]): CountElement[] {
  const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
  partitioner.add(columnsOf(events), T0);
  const its = new Pane(seed);
  for (const { bytes } of partitioner.finish()) its.addBlock(openBlock(bytes));
  const { received } = its;
  const firing = ++firings;
  return [...packPane(its, 1)].map(({ bytes, reusedIds }, part) => ({
    minute: minuteOf(T0),
    partition,
    received,
    firing,
    part,
    reusedIds,
    block: bytes,
  }));
}

const shardOf = (elements: readonly CountElement[]) => [...new CountPerVideo().process({ key: "3", value: elements })];

function counted(elements: readonly CountElement[]): Record<string, [number, bigint]> {
  const counts = shardOf(elements).map((shard) => shard.counts);
  return Object.fromEntries(
    [...cellsOf(counts)].map(([name, { count, sum }]) => [name.replace(/^\d+ /, ""), [count, sum]]),
  );
}

const early = [event("a", { value: 5 })];
const onTime = [...early, event("b"), event("c", { eventType: "LIKE" })];
const late = [...onTime, event("d"), event("a", { value: 8 })];

test("the early pane counts until the on-time pane comes, and that until the late one", () => {
  expect(counted(pane(0, early))).toEqual({ "v VIEW": [1, 5n] });
  expect(counted([...pane(0, early), ...pane(0, onTime)])).toEqual({ "v VIEW": [2, 5n], "v LIKE": [1, 0n] });
  expect(counted([...pane(0, early), ...pane(0, onTime), ...pane(0, late)])).toEqual({
    "v VIEW": [3, 8n],
    "v LIKE": [1, 0n],
  });
});

test("of nested panes the largest counts, in whatever order they come and however often", () => {
  const panes = [...pane(0, late), ...pane(0, early), ...pane(0, late), ...pane(0, onTime)];
  expect(counted(panes)).toEqual(counted(pane(0, late)));
  expect(counted(panes.reverse())).toEqual(counted(pane(0, late)));
  // Panes of the same process have no number of their firing.
  const inProcess = panes.map(({ firing: _, ...element }) => element as CountElement);
  for (const order of [inProcess, inProcess.toReversed()]) expect(counted(order)).toEqual(counted(pane(0, late)));
});

test("parts of one firing belong together, and those of another with as many events are left out", () => {
  const [a, b] = [event("a"), event("b", { videoId: "w" })].map((each) => pane(0, [each])[0]!);
  const of = (firing: number, part: number, element: CountElement) => ({ ...element, received: 2, firing, part });
  const both = { "v VIEW": [1, 0n], "w VIEW": [1, 0n] };
  expect(counted([of(1, 0, a!), of(1, 1, b!)])).toEqual(both);
  expect(counted([of(1, 0, a!), of(1, 1, b!), of(2, 1, a!)])).toEqual(both);
  expect(counted([of(1, 0, a!), of(1, 1, b!), of(2, 0, b!)])).toEqual(both);
});

test("partitions add up, each with its largest pane", () => {
  const other = [event("x"), event("y", { videoId: "w", value: -3 })];
  const panes = [...pane(0, early), ...pane(1, other.slice(0, 1)), ...pane(1, other), ...pane(0, onTime)];
  expect(counted(panes)).toEqual({ "v VIEW": [3, 5n], "v LIKE": [1, 0n], "w VIEW": [1, -3n] });
});

test("a pane that grew only by repeats is the later one: it may hold a larger value", () => {
  const repeated = [...early, event("a", { value: 9 })];
  expect(counted([...pane(0, repeated), ...pane(0, early)])).toEqual({ "v VIEW": [1, 9n] });
});

test("the shard's books are those of its largest panes, and come with the last of its chunks", () => {
  const other = [event("x"), event("x"), event("x", { videoId: "w" })];
  const shards = shardOf([...pane(0, early), ...pane(1, other), ...pane(0, late)]);
  const books = { minute: minuteOf(T0), part: 3, received: 8, counted: 6, duplicate: 2, late: 0, reusedIds: 1 };
  expect(shards.map((shard) => shard.books)).toEqual([books]);
  const many = shardOf(
    pane(
      0,
      Array.from({ length: 40_000 }, (_, i) => event(`e${i}`, { videoId: `v${i}` })),
    ),
  );
  expect(many.map((shard) => shard.books?.counted)).toEqual([undefined, undefined, 40_000]);
});

test("all pieces of a pane count", () => {
  const events = Array.from({ length: 40_000 }, (_, i) => event(`e${i}`, { videoId: `v${i}` }));
  const pieces = pane(0, events);
  expect(pieces.length).toBe(3);
  expect(Object.keys(counted(pieces)).length).toBe(40_000);
  expect(Object.keys(counted([...pieces, ...pane(1, [event("x")])])).length).toBe(40_001);
});

test("two firings of the same events in another order are not mixed: parts hold cells in the order they came in", () => {
  const events = Array.from({ length: 20_000 }, (_, i) => event(`e${i}`, { videoId: `v${i}` }));
  const [one, other] = [pane(0, events), pane(0, [...events].reverse())];
  expect([one.length, other.length]).toEqual([2, 2]);
  for (const elements of [
    [...one, ...other],
    [one[0]!, other[0]!, one[1]!, other[1]!],
    [other[1]!, one[1]!, one[0]!, other[0]!],
  ]) {
    const counts = counted(elements);
    expect(Object.keys(counts)).toHaveLength(20_000);
    expect(Object.values(counts).every(([count]) => count === 1)).toBe(true);
    expect(shardOf(elements).at(-1)!.books).toMatchObject({ received: 20_000, counted: 20_000 });
  }
});
