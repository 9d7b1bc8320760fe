// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../domain/columns/minute-counts";
import type { CellColumns } from "./cell-columns";
import type { HourNames } from "./hour-names";

const TWO_32 = 2 ** 32;
/** The largest table of (video, type) places. Beyond it the cells are compared one by one. */
const MAX_PLACES = 2 ** 22;

/**
 * Returns whether a minute's recounted cells are exactly the stored ones. This is the usual result of an audit, found
 * in columns, without an object or a text for each cell. False proves nothing: the cells have to be compared one by one
 * then, for example where a sum is beyond 2^53. The comparison of an hour asks it first.
 */
export function areSameCells(recounted: CellColumns, stored: MinuteCounts, names: HourNames): boolean {
  const rows = recounted.counts.length;
  const types = stored.types.length;
  if (rows !== stored.counts.length || stored.videos.length * types > MAX_PLACES) return false;
  if (recounted.beyond.size > 0) return false;
  const videoOf = videoPlaces(stored.videos, recounted, names);
  const typeOf = typePlaces(stored.types, recounted.types);
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

/**
 * Returns the place of each recounted video among the stored ones; undefined where one is missing, or a name is stored
 * twice.
 */
function videoPlaces(stored: readonly string[], { videos }: CellColumns, names: HourNames): Uint32Array | undefined {
  const numbers = names.numbersOf(videos);
  const storedNumbers = stored.map((text) => names.numberOf(text));
  const placeOf = new Uint32Array(names.size);
  for (let place = 0; place < storedNumbers.length; place++) {
    if (placeOf[storedNumbers[place]!] !== 0) return undefined;
    placeOf[storedNumbers[place]!] = place + 1;
  }
  return placesOf(numbers, (number) => placeOf[number]! - 1);
}

function typePlaces(stored: readonly string[], types: readonly string[]): Uint32Array | undefined {
  return new Set(stored).size === stored.length ? placesOf(types, (type) => stored.indexOf(type)) : undefined;
}

function placesOf<T>(names: ArrayLike<T>, placeOf: (name: T) => number): Uint32Array | undefined {
  const places = new Uint32Array(names.length);
  for (let i = 0; i < names.length; i++) {
    const place = placeOf(names[i]!);
    if (place < 0) return undefined;
    places[i] = place;
  }
  return places;
}
