// SPDX-License-Identifier: Apache-2.0
/**
 * What rankings have read of whole days and is not changed since (cell-changes.ts): the bounds of all buckets over the
 * days together, and the counts of those buckets that were read. The ranking of a month then reads its last two days,
 * which late events change, and what is not a whole day. The thread that ranks for the service keeps them.
 */
import type { DatabaseSync } from "node:sqlite";
import { CellChangesReader } from "./cell-changes";

/** Each has 8 bytes a bucket: 128 kB where there are a million videos. */
const MOST_PIECES = 8;
/** Each has 512 bytes: as many as a ranking reads before it reads all. */
const MOST_BUCKETS = 1_024;

interface Days {
  type: number;
  from: number;
  to: number;
}

export interface KeptPiece extends Days {
  most: Float64Array;
  counts: Map<number, Float64Array>;
}

export class KeptPieces {
  readonly #changes: CellChangesReader;
  #mark = -1;
  /** The one that was asked for last is the last. */
  #pieces: KeptPiece[] = [];

  constructor(db: DatabaseSync) {
    this.#changes = new CellChangesReader(db);
  }

  /** Forgets what has changed. Called on the snapshot on which the pieces are used. */
  look(): void {
    const changed = new Set<number>();
    const mark =
      this.#mark < 0
        ? undefined
        : this.#changes.since(this.#mark, (level, time) => {
            if (level === "day") changed.add(time);
          });
    this.#mark = mark ?? this.#changes.last();
    if (mark === undefined) this.#pieces = [];
    for (const day of changed) this.#pieces = this.#pieces.filter(({ from, to }) => day < from || day >= to);
  }

  of(days: Days, read: () => Float64Array): KeptPiece {
    const { type, from, to } = days;
    const known = this.#pieces.find((one) => one.type === type && one.from === from && one.to === to);
    const piece = known ?? { type, from, to, most: read(), counts: new Map() };
    this.#pieces = [...this.#pieces.filter((one) => one !== piece), piece].slice(-MOST_PIECES);
    return piece;
  }

  /** Returns the counts of a bucket over the piece. The caller does not change them. */
  counts({ counts }: KeptPiece, bucket: number, read: () => Float64Array): Float64Array {
    const known = counts.get(bucket);
    if (known !== undefined) return known;
    if (counts.size >= MOST_BUCKETS) counts.clear();
    const its = read();
    counts.set(bucket, its);
    return its;
  }
}
