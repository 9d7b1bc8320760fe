// SPDX-License-Identifier: Apache-2.0
/**
 * What rankings have read of whole days, and of the minutes of open hours, and is not changed since (cell-changes.ts):
 * the bounds of all buckets over the times together, and the counts of those buckets that were read. The ranking of a
 * month then reads its last two days, which late events change, and what is not a whole day. The thread that ranks for
 * the service keeps them.
 */
import type { DatabaseSync } from "node:sqlite";
import type { RankedLevel } from "./bucket-ranks";
import { CellChangesReader } from "./cell-changes";

/** Each has 8 bytes a bucket: 128 kB where there are a million videos. */
const MOST_PIECES = 16;
/** Each has 512 bytes: as many as a ranking reads before it reads all. */
const MOST_BUCKETS = 1_024;

/** Times of one level. */
interface Times {
  level: RankedLevel;
  type: number;
  from: number;
  to: number;
}

export interface KeptPiece extends Times {
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
    const stale = new Set<KeptPiece>();
    const changed = (level: RankedLevel, time: number) => {
      for (const piece of this.#pieces)
        if (piece.level === level && time >= piece.from && time < piece.to) stale.add(piece);
    };
    const mark = this.#mark < 0 ? undefined : this.#changes.since(this.#mark, changed);
    this.#mark = mark ?? this.#changes.last();
    this.#pieces = mark === undefined ? [] : this.#pieces.filter((piece) => !stale.has(piece));
  }

  of({ level, type, from, to }: Times, read: () => Float64Array): KeptPiece {
    const known = this.#pieces.find(
      (one) => one.level === level && one.type === type && one.from === from && one.to === to,
    );
    const piece = known ?? { level, type, from, to, most: read(), counts: new Map() };
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
