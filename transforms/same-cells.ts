// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../domain/columns/minute-counts";
import type { CellColumns } from "./audit-elements";

const TWO_32 = 2 ** 32;
/** The largest table of (video, type) places. Beyond it the cells are compared one by one. */
const MAX_PLACES = 2 ** 22;

/**
 * Returns whether a minute's recounted cells are exactly the stored ones. This is the usual result of an audit, found
 * in columns, without an object or a text for each cell. False proves nothing: the cells have to be compared one by one
 * then, for example where a sum is beyond 2^53.
 */
export function areSameCells(recounted: CellColumns, stored: MinuteCounts): boolean {
  const rows = recounted.counts.length;
  const types = stored.types.length;
  if (rows !== stored.counts.length || stored.videos.length * types > MAX_PLACES) return false;
  if (recounted.beyond.size > 0) return false;
  const videoOf = placesIn(stored.videos, recounted.videos);
  const typeOf = placesIn(stored.types, recounted.types);
  if (videoOf === undefined || typeOf === undefined) return false;
  const placed = new Int32Array(stored.videos.length * types);
  for (let row = 0; row < rows; row++) placed[stored.videoIndex[row]! * types + stored.typeIndex[row]!] = row + 1;
  for (let row = 0; row < rows; row++) {
    const place: number = videoOf[recounted.videoIndex[row]!]! * types + typeOf[recounted.typeIndex[row]!]!;
    const its = placed[place]! - 1;
    if (its < 0 || recounted.counts[row] !== stored.counts[its] || recounted.valued[row] !== stored.valued[its]) {
      return false;
    }
    const sum = stored.sumHigh[its]! * TWO_32 + stored.sumLow[its]!;
    if (!Number.isSafeInteger(sum) || recounted.sums[row] !== sum) return false;
    // A cell that one side has twice must not match twice on the other side.
    placed[place] = 0;
  }
  return true;
}

/** Returns the position of each of `names` in `known`; undefined where one is missing, or `known` has a name twice. */
function placesIn(known: readonly string[], names: readonly string[]): Uint32Array | undefined {
  const placeOf = new Map<string, number>();
  for (let place = 0; place < known.length; place++) placeOf.set(known[place]!, place);
  if (placeOf.size !== known.length) return undefined;
  const places = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i++) {
    const place = placeOf.get(names[i]!);
    if (place === undefined) return undefined;
    places[i] = place;
  }
  return places;
}
