// SPDX-License-Identifier: Apache-2.0
import { cellNumbers, cellsByShard, MAX_CELLS, reusedOf } from "./count-block";
import type { MinuteCounts } from "./minute-counts";
import type { Pane } from "./pane";

/** The counts of a pane for one video shard, for a reader in the same process. */
export interface PaneCounts {
  shard: number;
  /** The rows, at least one chunk, at most MAX_CELLS rows in each. */
  chunks: MinuteCounts[];
  /** The sums over all cells of the shard, whether the chunks hold them or not. */
  received: number;
  counted: number;
  reusedIds: number;
}

/**
 * Yields the counts of a pane by video shard and notes the state for the next firing. With `changed`, only cells that
 * received events since the last firing are in the chunks; a shard without such a cell is left out.
 */
export function* firePane(pane: Pane, minute: number, shards: number, changed: boolean): Generator<PaneCounts> {
  const { cells } = pane;
  const all = shards === 1 ? undefined : cellsByShard(pane, shards, false);
  for (const [shard, its] of cellsByShard(pane, shards, changed).entries()) {
    if (its.length === 0) continue;
    const chunks: MinuteCounts[] = [];
    const ordered = byVideo(cells.video, its);
    for (let from = 0; from < ordered.length; from += MAX_CELLS) {
      chunks.push(countsOf(pane, ordered.subarray(from, from + MAX_CELLS), minute));
    }
    yield { shard, chunks, ...totalsOf(pane, all?.[shard]) };
  }
  cells.fired.set(cells.received.subarray(0, cells.size));
}

/**
 * The cells by the number of their video: a chunk then has neighbouring videos. A store that keeps neighbours in one
 * row, in the order in which their names came, writes each row once a firing and not once a chunk.
 */
function byVideo(video: Uint32Array, cells: Uint32Array): Uint32Array {
  const keys = Float64Array.from(cells, (cell) => video[cell]! * TWO_32 + cell).sort();
  return Uint32Array.from(keys, (key) => key % TWO_32);
}

/** Adds up the numbers of a shard. `its` names the shard's cells; where it is absent, the shard has all cells. */
function totalsOf(pane: Pane, its: Uint32Array | undefined): Omit<PaneCounts, "shard" | "chunks"> {
  if (its === undefined) return { received: pane.received, counted: pane.distinct, reusedIds: pane.reusedIds };
  const { cells } = pane;
  let [received, counted] = [0, 0];
  for (const cell of its) {
    received += cells.received[cell]!;
    counted += cells.received[cell]! - cells.duplicates[cell]!;
  }
  return { received, counted, reusedIds: reusedOf(cells, its) };
}

const TWO_32 = 2 ** 32;

/**
 * For each name number of the pane, its number + 1 in the current chunk; 0 where the chunk does not hold the name yet.
 */
let localVideos = new Int32Array(1024);

function countsOf(pane: Pane, chosen: Uint32Array, minute: number): MinuteCounts {
  const { cells, names } = pane;
  const n = chosen.length;
  const numbers = cellNumbers(cells, chosen);
  if (localVideos.length < names.videos.size) localVideos = new Int32Array(names.videos.size * 2);
  const videoIndex = new Uint32Array(n);
  const order: number[] = [];
  for (let i = 0; i < n; i++) {
    const video = cells.video[chosen[i]!]!;
    if (localVideos[video] === 0) localVideos[video] = order.push(video);
    videoIndex[i] = localVideos[video]! - 1;
  }
  for (const video of order) localVideos[video] = 0;
  const types = new Map<number, number>();
  const typeIndex = Uint32Array.from(chosen, (cell) => {
    const type = cells.type[cell]!;
    if (!types.has(type)) types.set(type, types.size);
    return types.get(type)!;
  });
  return {
    minute,
    videos: order.map((video) => names.videoText(video)),
    types: [...types.keys()].map((type) => names.typeText(type)),
    videoIndex,
    typeIndex,
    counts: numbers.subarray(0, n),
    valued: numbers.subarray(n, 2 * n),
    sumHigh: numbers.subarray(2 * n, 3 * n),
    sumLow: numbers.subarray(3 * n, 4 * n),
    received: numbers.subarray(4 * n),
    lastMsInMinute: Uint16Array.from(chosen, (cell) => cells.lastMs[cell]!),
  };
}
