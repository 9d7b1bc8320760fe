// SPDX-License-Identifier: Apache-2.0
/**
 * Names and ids that were chosen to collide: what they cost where the hash's seed is known, and that they cost nothing
 * where it is not.
 */
import { randomBytes } from "node:crypto";
import { BlockPartitioner } from "../../../domain/columns/block-partitioner";
import { CountsBuilder } from "../../../domain/columns/count-block";
import { MAX_BLOCK_BYTES, openBlock } from "../../../domain/columns/event-block";
import type { EventColumns } from "../../../domain/columns/event-columns";
import { NameTable } from "../../../domain/columns/name-table";
import { Pane, partitionOf } from "../../../domain/columns/pane";
import { NO_LATENESS } from "../../../domain/rules/lateness";
import { asMinuteCounts, type ModelCell } from "../../io/ports/counter-model";
import { T0 } from "../model";

const NAMES = 1_000;
/** A table of so many names has at most 4 times as many slots: names whose hashes agree in these bits share one. */
const SLOT_BITS = 0xfff;

/** The hash of a NameTable for names of less than 24 bytes, as anybody can read it in the source. */
function hashOf(name: string, seed: number): number {
  const multiplier = Math.imul(seed ^ 0x85ebca6b, 0x9e3779b9) | 1;
  let hash = seed ^ name.length;
  for (let from = 0; from <= name.length; from += 4) {
    let word = 0;
    for (let at = from; at < Math.min(from + 4, name.length); at++) word |= name.charCodeAt(at) << ((at - from) * 8);
    hash = Math.imul(hash + word, multiplier);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Video ids that share one slot of a table with this seed, found by trying. */
function collidingNames(seed: number): string[] {
  const names: string[] = [];
  for (let n = 0; names.length < NAMES; n++) {
    const name = `v${n.toString(36)}`;
    if ((hashOf(name, seed) & SLOT_BITS) === 0) names.push(name);
  }
  return names;
}

function detours(names: readonly string[], seed: number): number {
  const table = new NameTable(seed);
  for (const name of names) table.indexText(name);
  expect(table.size).toBe(names.length);
  return table.detours;
}

const crafted = collidingNames(0);
const seeds = Array.from({ length: 20 }, () => randomBytes(4).readInt32LE());

test("names that collide with a known seed are looked up in quadratic time with it, and in linear time with any other", () => {
  expect(detours(crafted, 0)).toBeGreaterThan((NAMES * NAMES) / 4);
  const honest = Array.from({ length: NAMES }, (_, n) => `v${n}`);
  const most = Math.max(...seeds.map((seed) => detours(honest, seed)));
  for (const seed of seeds) expect(detours(crafted, seed)).toBeLessThan(Math.max(NAMES, 2 * most));
});

test("every table over names takes the seed it is given", () => {
  const steps = (seed: Uint32Array): number[] => {
    const partitioner = new BlockPartitioner(1, NO_LATENESS, seed);
    partitioner.add(columnsOfVideos(crafted), T0);
    const pane = new Pane(seed);
    for (const { bytes } of partitioner.finish()) pane.addBlock(openBlock(bytes));
    const builder = new CountsBuilder(seed);
    for (const counts of asMinuteCounts(crafted.map(cellOf))) builder.add(counts);
    return [partitioner, pane, builder].map((holder) => (Reflect.get(holder, "videos") as NameTable).detours);
  };
  for (const quadratic of steps(new Uint32Array(8))) expect(quadratic).toBeGreaterThan((NAMES * NAMES) / 4);
  for (const linear of steps(new Uint32Array(randomBytes(32).buffer.slice(0, 32))))
    expect(linear).toBeLessThan(NAMES * 3);
});

test("ids that are chosen for one dedup partition cost what they would with one partition", () => {
  const partitions = 16;
  const ids = new Uint32Array(20_000 * 4);
  for (let n = 0, row = 0; row < ids.length / 4; n++) {
    if (partitionOf(n, 7, 7, 7, partitions) !== 0) continue;
    ids.set([n, 7, 7, 7], row * 4);
    row++;
  }
  const columns = { ...columnsOfVideos(["v"]), ...eventsOf(ids) };
  const seed = Uint32Array.from({ length: 8 }, () => randomBytes(4).readUInt32LE());
  const run = (parts: number) => {
    const partitioner = new BlockPartitioner(parts, NO_LATENESS, seed);
    partitioner.add(columns, T0);
    const blocks = partitioner.finish();
    const pane = new Pane(seed);
    for (const { bytes } of blocks) pane.addBlock(openBlock(bytes));
    expect(blocks.every(({ bytes }) => bytes.length <= MAX_BLOCK_BYTES)).toBe(true);
    return { blocks: blocks.length, distinct: pane.distinct, detours: pane.detours, bytes: pane.sizeBytes };
  };
  expect(run(partitions)).toEqual(run(1));
  // In a table filled to 0.6, a look-up takes less than one step beyond the first.
  expect(run(partitions).detours).toBeLessThan(20_000);
});

function eventsOf(ids: Uint32Array) {
  const count = ids.length / 4;
  return {
    count,
    ids: new Uint8Array(ids.buffer),
    videoIndex: new Uint32Array(count),
    typeIndex: new Uint32Array(count),
    timesMs: new Float64Array(count).fill(T0),
  };
}

function columnsOfVideos(videos: readonly string[]): EventColumns {
  const ids = Uint32Array.from({ length: videos.length * 4 }, (_, at) => at);
  return {
    ...eventsOf(ids),
    videos: [...videos],
    videoIndex: Uint32Array.from(videos, (_, n) => n),
    types: ["VIEW"],
  };
}

const cellOf = (video: string): ModelCell => {
  return { minute: T0 / 60_000, video, type: "VIEW", count: 1, sum: 0n, valued: 0, last: 0, correction: 0 };
};
