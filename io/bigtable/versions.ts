// SPDX-License-Identifier: Apache-2.0
/**
 * Versions are cell timestamps in milliseconds: of the cells of a column Bigtable keeps the one with the largest, in
 * whatever order they are written. A minute cell's version is `correction * 2^29 + received`; the version of a cell
 * above is the sum of its children's, which only grow.
 */

const RECEIVED_LIMIT = 2 ** 29;
/** Microseconds are int64, so milliseconds end here. */
const VERSION_LIMIT = 2 ** 53 - 1_000_000;

/** Throws a RangeError when more came than a version can tell apart. */
export function minuteVersion(correction: number, received: number): number {
  if (received >= RECEIVED_LIMIT)
    throw new RangeError(`${received} events of one cell; at most ${RECEIVED_LIMIT - 1} fit`);
  return checkedVersion(correction * RECEIVED_LIMIT + received);
}

export function correctionOf(version: number): number {
  return Math.floor(version / RECEIVED_LIMIT);
}

/** Throws a RangeError for a version that is no timestamp. */
export function checkedVersion(version: number): number {
  if (version > VERSION_LIMIT) throw new RangeError(`the version ${version} is beyond Bigtable's timestamps`);
  return version;
}

export function timestampMicros(version: number): string | number {
  return version < 2 ** 43 ? version * 1000 : `${version}000`;
}

/** The client gives int64 as decimal digits. */
export function versionOf(micros: string): number {
  return micros.length < 16 ? Number(micros) / 1000 : Number(micros.slice(0, -3));
}
