// SPDX-License-Identifier: Apache-2.0
/** A digest of counts, by which measurements make sure that the compared systems counted the same. */
import { hash } from "node:crypto";
import type { MinuteCounts } from "../../domain/columns/minute-counts";

export interface CountedCell {
  videoId: string;
  eventType: string;
  minute: number;
  count: number;
  sum: bigint;
}

/** Two systems that counted the same have the same digest, whatever the order of their cells. */
export interface CountsDigest {
  cells: number;
  /** Distinct events. */
  count: number;
  sum: string;
  /** Sum of the first 48 bits of each cell's SHA-256, modulo 2^48, in hex. */
  hash: string;
}

export function digestOf(cells: Iterable<CountedCell>): CountsDigest {
  let [number, count, sum, digest] = [0, 0, 0n, 0];
  for (const cell of cells) {
    number++;
    count += cell.count;
    sum += cell.sum;
    const text = `${cell.videoId} ${cell.eventType} ${cell.minute} ${cell.count} ${cell.sum}`;
    digest = (digest + hash("sha256", text, "buffer").readUIntBE(0, 6)) % 2 ** 48;
  }
  return { cells: number, count, sum: String(sum), hash: digest.toString(16).padStart(12, "0") };
}

/** Throws where one of the compared systems counted something else than the first: its figures compare nothing. */
export function requireSameCounts(digests: Readonly<Record<string, CountsDigest | undefined>>): void {
  const [first, ...others] = Object.entries(digests).filter(([, digest]) => digest !== undefined);
  for (const [name, digest] of others) {
    if (JSON.stringify(digest) === JSON.stringify(first![1])) continue;
    throw new Error(`${name} counted ${JSON.stringify(digest)}, and ${first![0]} ${JSON.stringify(first![1])}`);
  }
}

export function* cellsOf(all: Iterable<MinuteCounts>): Generator<CountedCell> {
  for (const { minute, videos, types, videoIndex, typeIndex, counts, sumHigh, sumLow } of all) {
    for (let row = 0; row < counts.length; row++) {
      yield {
        videoId: videos[videoIndex[row]!]!,
        eventType: types[typeIndex[row]!]!,
        minute,
        count: counts[row]!,
        sum: (BigInt(sumHigh[row]!) << 32n) + BigInt(sumLow[row]!),
      };
    }
  }
}
