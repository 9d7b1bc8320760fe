// SPDX-License-Identifier: Apache-2.0
/**
 * Reads whole minutes as columns, a minute at a time: a minute is one range of rows. The audit and tiering read the
 * store with it.
 */
import type { DatabaseSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { grown } from "../../domain/columns/name-table";
import type { BlockNames } from "./block-names";
import { type BlockReader, bucketOfRow, MAX_TIME, rowName } from "./block-tables";
import {
  Block,
  CORRECTION,
  COUNT,
  decodeBlock,
  KEY,
  LAST,
  LOW,
  MID,
  REVISION,
  TOP,
  VALUED,
  VIDEOS_A_BLOCK,
  WIDTH,
} from "./cell-block";
import { onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE } from "./counter-file";
import type { TierGuard } from "./tier-guard";

const TWO_32 = 2 ** 32;
/** The first capacity, because most minutes have few cells. */
const FIRST_CELLS = 64;

/** Names and tiers are shared with the connection's other readers. */
export class MinuteCellReader {
  constructor(
    private readonly db: DatabaseSync,
    private readonly blocks: BlockReader,
    private readonly names: BlockNames,
    private readonly tiers: TierGuard,
  ) {}

  async *read(fromMinute: number, toMinute: number): AsyncGenerator<MinuteCounts, void, undefined> {
    const to = Math.min(toMinute, MAX_TIME);
    for (let from = Math.max(fromMinute, 1 - MAX_TIME); from < to; ) {
      const start = from;
      const next = orUnavailable(COUNTERS_FILE, () => onSnapshot(this.db, () => this.#next(start, to)));
      if (next === undefined) return;
      if (next.counts !== undefined && next.counts.counts.length > 0) yield next.counts;
      from = next.from;
    }
  }

  /**
   * Returns the first stored minute of [from, to), without its cells where roll-ups have them, and with the minute at
   * which to go on.
   */
  #next(from: number, to: number): { from: number; counts?: MinuteCounts } | undefined {
    const minute = this.blocks.nextTime("minute", from, to);
    if (minute === undefined) return undefined;
    this.tiers.begin();
    const hidden = this.tiers.hidden("minute");
    if (hidden !== undefined && minute >= hidden.from && minute < hidden.to) return { from: hidden.to };
    return { from: minute + 1, counts: this.#minute(minute) };
  }

  #minute(minute: number): MinuteCounts {
    const filling = new Filling(minute);
    const block = new Block();
    for (const [id, bytes] of this.blocks.rows("minute", minute)) {
      decodeBlock(bytes, block, () => rowName("minute", id));
      filling.add(block, bucketOfRow(id), this.names);
    }
    return filling.counts();
  }
}

class Filling {
  readonly #videos: string[] = [];
  readonly #types: string[] = [];
  readonly #typeOf = new Map<number, number>();
  readonly #videoOf = new Int32Array(VIDEOS_A_BLOCK);
  #videoIndex = new Uint32Array(FIRST_CELLS);
  #typeIndex = new Uint32Array(FIRST_CELLS);
  /** The numbers of the kept cells, one after the other; keys are those of their own blocks. */
  #numbers = new Float64Array(FIRST_CELLS * WIDTH);
  #n = 0;

  constructor(private readonly minute: number) {}

  add(block: Block, bucket: number, dictionary: BlockNames): void {
    const names = dictionary.videos(bucket);
    this.#videoOf.fill(-1);
    for (let at = 0; at < block.cells * WIDTH; at += WIDTH) {
      if (block.data[at + COUNT] === 0) continue;
      if (this.#n === this.#videoIndex.length) this.#grow();
      const inside = block.data[at + KEY]! % VIDEOS_A_BLOCK;
      if (this.#videoOf[inside] === -1) {
        const name = names[inside] ?? dictionary.video(bucket * VIDEOS_A_BLOCK + inside);
        this.#videoOf[inside] = this.#videos.push(name) - 1;
      }
      this.#videoIndex[this.#n] = this.#videoOf[inside]!;
      this.#typeIndex[this.#n] = this.#type((block.data[at + KEY]! - inside) / VIDEOS_A_BLOCK, dictionary);
      this.#numbers.set(block.data.subarray(at, at + WIDTH), this.#n * WIDTH);
      this.#n++;
    }
  }

  #type(id: number, dictionary: BlockNames): number {
    let index = this.#typeOf.get(id);
    if (index === undefined) {
      index = this.#types.push(dictionary.type(id)) - 1;
      this.#typeOf.set(id, index);
    }
    return index;
  }

  #grow(): void {
    this.#videoIndex = grown(this.#videoIndex, new Uint32Array(this.#n * 2));
    this.#typeIndex = grown(this.#typeIndex, new Uint32Array(this.#n * 2));
    this.#numbers = grown(this.#numbers, new Float64Array(this.#n * 2 * WIDTH));
  }

  counts(): MinuteCounts {
    const n = this.#n;
    const numbers = this.#numbers;
    const column = (of: number) => {
      const values = new Float64Array(n);
      for (let i = 0; i < n; i++) values[i] = numbers[i * WIDTH + of]!;
      return values;
    };
    const [mid, top] = [column(MID), column(TOP)];
    return {
      minute: this.minute,
      videos: this.#videos,
      types: this.#types,
      videoIndex: this.#videoIndex.slice(0, n),
      typeIndex: this.#typeIndex.slice(0, n),
      counts: column(COUNT),
      valued: column(VALUED),
      sumHigh: mid.map((low, i) => top[i]! * TWO_32 + low),
      sumLow: column(LOW),
      lastMsInMinute: Uint16Array.from(column(LAST)),
      corrections: column(CORRECTION),
      revisions: column(REVISION),
    };
  }
}
