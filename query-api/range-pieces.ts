// SPDX-License-Identifier: Apache-2.0
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../domain/rules/time";
import type { Granularity } from "../io/ports";

/** Cells of one granularity, [fromMs, toMs), that buckets are added up from. */
export interface Piece {
  granularity: Granularity;
  fromMs: number;
  toMs: number;
}

const UNITS: readonly { granularity: Granularity; unitMs: number }[] = [
  { granularity: "day", unitMs: DAY_MS },
  { granularity: "hour", unitMs: HOUR_MS },
  { granularity: "minute", unitMs: MINUTE_MS },
];

/** Cells that one read gives at most: a day of minutes in one piece, the event loop held for few milliseconds. */
const CELLS_A_READ = 1_500;

/**
 * The cells to read for buckets between these edges (whole minutes), in order of time: of each bucket the days (UTC)
 * that lie in it, then the hours, then minutes. A day in Berlin is made of hours, one in Kathmandu of hours and, at
 * both ends, minutes.
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
