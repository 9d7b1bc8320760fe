// SPDX-License-Identifier: Apache-2.0
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../domain/rules/time";
import type { Granularity } from "../io/ports";

/** Cells of one granularity, [fromMs, toMs), from which buckets are added up. */
interface Piece {
  granularity: Granularity;
  fromMs: number;
  toMs: number;
}

const UNITS: readonly { granularity: Granularity; unitMs: number }[] = [
  { granularity: "day", unitMs: DAY_MS },
  { granularity: "hour", unitMs: HOUR_MS },
  { granularity: "minute", unitMs: MINUTE_MS },
];

/**
 * The largest number of cells of one read: a day of minutes is one piece, and the event loop is held for few
 * milliseconds.
 */
const CELLS_A_READ = 1_500;

/**
 * Returns the cells to read for buckets between these edges (whole minutes), in order of time: the days (UTC) that lie
 * in a bucket, then hours, then minutes. A day in Berlin consists of hours, one in Kathmandu of hours and, at both
 * ends, minutes. Series of videos and of channels are read with it.
 */
export function piecesOf(edges: readonly number[]): Piece[] {
  const pieces: Piece[] = [];
  for (let bucket = 0; bucket + 1 < edges.length; bucket++) addPieces(pieces, edges[bucket]!, edges[bucket + 1]!, 0);
  return pieces;
}

function addPieces(pieces: Piece[], fromMs: number, toMs: number, unit: number): void {
  if (fromMs >= toMs) return;
  const { granularity, unitMs } = UNITS[unit]!;
  const firstMs = Math.ceil(fromMs / unitMs) * unitMs;
  const lastMs = Math.floor(toMs / unitMs) * unitMs;
  if (firstMs >= lastMs) {
    addPieces(pieces, fromMs, toMs, unit + 1);
    return;
  }
  addPieces(pieces, fromMs, firstMs, unit + 1);
  for (let atMs = firstMs; atMs < lastMs; ) {
    const last = pieces.at(-1);
    const grows = last?.granularity === granularity && last.toMs === atMs;
    const room = CELLS_A_READ - (grows ? (atMs - last.fromMs) / unitMs : 0);
    const endMs = Math.min(lastMs, atMs + (room > 0 ? room : CELLS_A_READ) * unitMs);
    if (grows && room > 0) last.toMs = endMs;
    else pieces.push({ granularity, fromMs: atMs, toMs: endMs });
    atMs = endMs;
  }
  addPieces(pieces, lastMs, toMs, unit + 1);
}
