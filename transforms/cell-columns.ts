// SPDX-License-Identifier: Apache-2.0
/**
 * The cells that an audit recounted, as columns, and their bytes for the shuffle between the recount of a minute and
 * the comparison of its hour.
 */
import { deserialize, serialize } from "node:v8";
import { toBytes } from "../engine";

export interface RecountedCell {
  videoId: string;
  eventType: string;
  count: number;
  sum: bigint;
  /** Distinct events that have a value. */
  valued: number;
  /** Latest event time, milliseconds within the minute. */
  lastMsInMinute: number;
}

/** Texts one after the other, in UTF-8, without a string for each. */
export interface Texts {
  bytes: Uint8Array;
  /** Where each text ends, and the next one begins. */
  ends: Uint32Array;
}

/** The recounted cells of a minute, or of a part of its videos. */
export interface CellColumns {
  videos: Texts;
  types: string[];
  videoIndex: Uint32Array;
  typeIndex: Uint32Array;
  counts: Float64Array;
  /** Exact where `beyond` has no sum of the row. */
  sums: Float64Array;
  /** Row -> its sum, where it is no safe integer. */
  beyond: Map<number, bigint>;
  valued: Float64Array;
  last: Uint16Array;
}

export const encodeCells = (columns: CellColumns): Uint8Array => serialize(columns);

export const cellColumns = (bytes: unknown): CellColumns => deserialize(toBytes(bytes)) as CellColumns;

export function* decodeCells(columns: CellColumns): Generator<RecountedCell> {
  const videos = stringsOf(columns.videos);
  for (let row = 0; row < columns.counts.length; row++) {
    yield {
      videoId: videos[columns.videoIndex[row]!]!,
      eventType: columns.types[columns.typeIndex[row]!]!,
      count: columns.counts[row]!,
      sum: columns.beyond.get(row) ?? BigInt(columns.sums[row]!),
      valued: columns.valued[row]!,
      lastMsInMinute: columns.last[row]!,
    };
  }
}

function stringsOf({ bytes, ends }: Texts): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from(ends, (end, i) => buffer.utf8Slice(i === 0 ? 0 : ends[i - 1]!, end));
}
