// SPDX-License-Identifier: Apache-2.0
/**
 * The firing of a pane whose counts stay in the process, as the embedded stream does it. On a cluster count-block.ts
 * packs them instead.
 */
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
    const ordered = byVideo(pane, its);
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
function byVideo({ cells: { video, size }, videos }: Pane, cells: Uint32Array): Uint32Array {
  if (cells.length * MIN_FILL > videos.size) return placedByVideo(video, videos.size, cells);
  // Any order is right; this one is cheap to read.
  if (videos.size * size > Number.MAX_SAFE_INTEGER) return cells;
  const keys = new Float64Array(cells.length);
  for (let i = 0; i < cells.length; i++) keys[i] = video[cells[i]!]! * size + cells[i]!;
  keys.sort();
  const ordered = new Uint32Array(cells.length);
  for (let i = 0; i < ordered.length; i++) ordered[i] = keys[i]! % size;
  return ordered;
}

/** Above a cell for so many names, counting the cells of each name is cheaper than sorting the cells. */
const MIN_FILL = 16;

/** A counting sort: where the cells of a video begin is known once the cells of each video are counted. */
function placedByVideo(video: Uint32Array, videoCount: number, cells: Uint32Array): Uint32Array {
  const next = new Uint32Array(videoCount + 1);
  for (let i = 0; i < cells.length; i++) next[video[cells[i]!]! + 1]!++;
  for (let number = 1; number < videoCount; number++) next[number]! += next[number - 1]!;
  const ordered = new Uint32Array(cells.length);
  for (let i = 0; i < cells.length; i++) ordered[next[video[cells[i]!]!]!++] = cells[i]!;
  return ordered;
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

/**
 * For each name number of the pane, its number + 1 in the current chunk; 0 where the chunk does not hold the name yet.
 */
let localVideos = new Int32Array(1024);

function countsOf(pane: Pane, chosen: Uint32Array, minute: number): MinuteCounts {
  const { cells, names } = pane;
  const n = chosen.length;
  const columns = cellNumbers(cells, chosen);
  if (localVideos.length < names.videos.size) localVideos = new Int32Array(names.videos.size * 2);
  const videoIndex = new Uint32Array(n);
  const order: number[] = [];
  for (let i = 0; i < n; i++) {
    const video = cells.video[chosen[i]!]!;
    if (localVideos[video] === 0) localVideos[video] = order.push(video);
    videoIndex[i] = localVideos[video]! - 1;
  }
  for (const video of order) localVideos[video] = 0;
  const numbers = new Uint32Array(order);
  const types = new Map<number, number>();
  let [lastType, lastLocal] = [-1, -1];
  const typeIndex = new Uint32Array(n);
  const lastMsInMinute = new Uint16Array(n);
  for (let i = 0; i < n; i++) {
    const cell = chosen[i]!;
    const type = cells.type[cell]!;
    if (type !== lastType) {
      lastType = type;
      lastLocal = types.get(type) ?? types.size;
      types.set(type, lastLocal);
    }
    typeIndex[i] = lastLocal;
    lastMsInMinute[i] = cells.lastMs[cell]!;
  }
  let texts: string[] | undefined;
  return {
    minute,
    get videos() {
      texts ??= order.map((video) => names.keptVideoText(video));
      return texts;
    },
    named: { names, numbers },
    types: Array.from(types.keys(), (type) => names.typeText(type)),
    videoIndex,
    typeIndex,
    counts: columns.subarray(0, n),
    valued: columns.subarray(n, 2 * n),
    sumHigh: columns.subarray(2 * n, 3 * n),
    sumLow: columns.subarray(3 * n, 4 * n),
    received: columns.subarray(4 * n),
    lastMsInMinute,
  };
}
