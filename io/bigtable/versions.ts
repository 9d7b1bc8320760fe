// SPDX-License-Identifier: Apache-2.0
/**
 * Versions are cell timestamps in milliseconds: of the cells of a column Bigtable keeps the one with the largest, in
 * whatever order they are written. domain/rules/cell-version.ts makes the version of a minute's cell; the version of a
 * cell above is the sum of its children's, which only grow. Every cell of the counters gets its version here.
 */
import { cellVersion } from "../../domain/rules/cell-version";

/** The bound of milliseconds, because microseconds are int64. */
const VERSION_LIMIT = 2 ** 53 - 1_000_000;

/** Throws a RangeError where the version is no timestamp. */
export const minuteVersion = (correction: number, received: number): number =>
  checkedVersion(cellVersion(correction, received));

/** Returns the version, or throws a RangeError where it is no timestamp. */
export function checkedVersion(version: number): number {
  if (version > VERSION_LIMIT) throw new RangeError(`the version ${version} is beyond Bigtable's timestamps`);
  return version;
}

export function timestampMicros(version: number): string | number {
  return version < 2 ** 43 ? version * 1000 : `${version}000`;
}

/** Parses the client's int64, which is decimal digits. */
export function versionOf(micros: string): number {
  return micros.length < 16 ? Number(micros) / 1000 : Number(micros.slice(0, -3));
}
