// SPDX-License-Identifier: Apache-2.0
/** Blocks with more names than a block begins with, and blocks that are full, at the cost of a few milliseconds. */

import { CANARY_PREFIX, isCanaryVideo } from "../../../domain/canary";
import { BlockPartitioner } from "../../../domain/columns/block-partitioner";
import { type EventBlock, MAX_BLOCK_BYTES, MAX_TAKEN, openBlock } from "../../../domain/columns/event-block";
import type { EventColumns } from "../../../domain/columns/event-columns";
import { assumedValued } from "../../../domain/columns/minute-counts";
import { RowPartitioner } from "../../../domain/columns/row-partitioner";
import { minuteOf } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { T0 } from "../model";

const seed = Uint32Array.from({ length: 8 }, (_, word) => Math.imul(word + 1, 0x9e37_79b1));
const M = minuteOf(T0);
/** Bytes of a row beside its names, and with the longest names. */
const [EVENT_BYTES, MAX_ROW_BYTES] = [32, 194];

interface Row {
  video: string;
  type?: string;
  value?: number;
  timeMs?: number;
}

/** Columns whose n-th row has the id n, counted from `firstId` on. */
function columnsOf(rows: readonly Row[], firstId = 0): EventColumns {
  const words = Uint32Array.from({ length: rows.length * 4 }, (_, at) => (at % 4 === 0 ? firstId + at / 4 : at % 4));
  const [videos, types] = [
    [...new Set(rows.map(({ video }) => video))],
    [...new Set(rows.map(({ type = "VIEW" }) => type))],
  ];
  const [places, typePlaces] = [videos, types].map((names) => new Map(names.map((name, place) => [name, place])));
  return {
    ...{ count: rows.length, ids: new Uint8Array(words.buffer), videos, types },
    videoIndex: Uint32Array.from(rows, ({ video }) => places!.get(video)!),
    typeIndex: Uint32Array.from(rows, ({ type = "VIEW" }) => typePlaces!.get(type)!),
    timesMs: Float64Array.from(rows, ({ timeMs = T0 }) => timeMs),
    ...(rows.some(({ value }) => value !== undefined) && {
      values: Float64Array.from(rows, ({ value = Number.NaN }) => value),
    }),
  };
}

function textsOf({ bytes, starts, ends }: EventBlock["videos"]): string[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from(starts, (start, at) => view.toString("latin1", start, ends[at]!));
}

/** The events of a block by the first word of their ids. */
function eventsOf(bytes: Uint8Array, minute: number) {
  const block = openBlock(bytes);
  const [videos, types] = [textsOf(block.videos), textsOf(block.types)];
  return Array.from({ length: block.count }, (_, row) => ({
    id: block.ids[row * 4]!,
    video: videos[block.videoIndex[row]!],
    type: types[block.typeIndex[row]!],
    timeMs: minute * MINUTE_MS + block.msInMinute[row]!,
    value: block.values?.[row] ?? Number.NaN,
  }));
}

const expected = (rows: readonly Row[]) =>
  rows.map(({ video, type = "VIEW", timeMs = T0, value = Number.NaN }, id) => ({ id, video, type, timeMs, value }));

function partitioned(batches: readonly EventColumns[]) {
  const partitioner = new BlockPartitioner(1, -1, seed);
  for (const batch of batches) partitioner.add(batch, T0);
  return partitioner.finish();
}

test("many names of several minutes are the names that came, in whatever order a bundle meets them", () => {
  const rows: Row[] = Array.from({ length: 2_400 }, (_, n) => ({
    ...{ video: `v${n % 3 === 0 ? n : (n * 7) % 900}`, type: `T${n % 300}`, timeMs: T0 + (n % 2) * MINUTE_MS + n },
    ...(n % 5 === 0 && { value: n }),
  }));
  const parts = [rows.slice(0, 700), rows.slice(700, 710), rows.slice(710)];
  const blocks = partitioned([columnsOf(parts[0]!), columnsOf(parts[1]!, 700), columnsOf(parts[2]!, 710)]);
  expect(blocks.map(({ minute }) => minute)).toEqual([M, M + 1]);
  const found = blocks.flatMap(({ bytes, minute }) => eventsOf(bytes, minute));
  expect(found.sort((a, b) => a.id - b.id)).toEqual(expected(rows));
  for (const { bytes } of blocks) {
    const texts = textsOf(openBlock(bytes).videos);
    expect(new Set(texts).size).toBe(texts.length);
  }
});

test("rows of a larger batch than before go to one partition each, as do those of blocks, and none is lost", () => {
  const [rows, blocks] = [new RowPartitioner(3, -1), new BlockPartitioner(3, -1, seed)];
  const sizes = [3, 5, 2_000, 1, 0];
  let firstId = 0;
  for (const size of sizes) {
    const batch = columnsOf(
      Array.from({ length: size }, (_, n) => ({ video: `v${n % 9}`, timeMs: T0 + (n % 3) * MINUTE_MS })),
      firstId,
    );
    for (const partitioner of [rows, blocks]) partitioner.add(batch, T0);
    firstId += size;
  }
  const found = new Map<string, number[]>();
  for (const { minute, partition, count, batches } of rows.finish()) {
    const ids = batches.flatMap(({ batch, rows: its }) =>
      Array.from(its ?? batch.columns.timesMs.keys(), (row) => batch.ids.getUint32(row * 16, true)),
    );
    expect(ids).toHaveLength(count);
    found.set(`${minute} ${partition}`, ids);
  }
  const inBlocks = new Map(
    blocks
      .finish()
      .map(({ minute, partition, bytes }) => [`${minute} ${partition}`, eventsOf(bytes, minute).map(({ id }) => id)]),
  );
  expect(found).toEqual(inBlocks);
  expect([...found.values()].flat().sort((a, b) => a - b)).toEqual(Array.from({ length: firstId }, (_, id) => id));
});

test("a block that opens at an odd place is the same block", () => {
  const rows = [{ video: "v", value: 7 }, { video: "w" }];
  const [block] = partitioned([columnsOf(rows)]);
  const shifted = new Uint8Array(block!.bytes.length + 3);
  shifted.set(block!.bytes, 3);
  for (const bytes of [shifted.subarray(3), Buffer.from(shifted.buffer, 3)])
    expect(eventsOf(bytes, M)).toEqual(expected(rows));
});

test("a block is sealed once the next rows might not fit, with long names or short ones", () => {
  for (const nameBytes of [128, 8]) {
    const rows = Array.from({ length: nameBytes === 128 ? 6_000 : 26_000 }, (_, n) => ({
      video: String(n).padStart(nameBytes, "v"),
    }));
    const blocks = partitioned([columnsOf(rows)]);
    expect(blocks).toHaveLength(2);
    const [full] = blocks;
    expect(full!.bytes.length).toBeLessThanOrEqual(MAX_BLOCK_BYTES);
    // It was not full before its last rows came.
    const rowBytes = EVENT_BYTES + nameBytes + 1;
    expect(full!.bytes.length).toBeGreaterThan(MAX_BLOCK_BYTES - MAX_TAKEN * MAX_ROW_BYTES - full!.count * 8);
    expect(full!.count * rowBytes).toBeGreaterThan(MAX_BLOCK_BYTES - MAX_TAKEN * MAX_ROW_BYTES - rowBytes);
    expect((full!.count - MAX_TAKEN) * rowBytes).toBeLessThan(MAX_BLOCK_BYTES - MAX_TAKEN * MAX_ROW_BYTES);
    expect(full!.count % MAX_TAKEN).toBe(0);
    expect(blocks.reduce((sum, { count }) => sum + count, 0)).toBe(rows.length);
    expect(blocks.flatMap(({ bytes, minute }) => eventsOf(bytes, minute))).toEqual(expected(rows));
  }
});

test("cells without a count of valued events have all or none, and a canary's videos are known by their prefix", () => {
  expect([assumedValued(5, false), assumedValued(5, true)]).toEqual([5, 0]);
  expect(CANARY_PREFIX).toBe("viewmill.canary:");
  expect([`${CANARY_PREFIX}1`, `x${CANARY_PREFIX}`, "v"].map(isCanaryVideo)).toEqual([true, false, false]);
});
