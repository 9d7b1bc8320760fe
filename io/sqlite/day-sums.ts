// SPDX-License-Identifier: Apache-2.0
/**
 * The sum of all days of a bucket, which the audit of derived levels compares with its totals. An audit asks for it at
 * every hour of its range, so the sums of past days are kept: without them an hour over ten times the days cost ten
 * times as much. level-sums.ts uses it.
 */
import type { DatabaseSync } from "node:sqlite";
import { MINUTE_MS } from "../../domain/rules/time";
import { type BlockReader, MAX_TIME, rowName, TIMES_AT_ONCE } from "./block-tables";
import { Block, decodeBlock } from "./cell-block";
import { CellChangesReader } from "./cell-changes";
import { CommitsOfOthers } from "./commits-of-others";
import { COUNTERS_FILE } from "./counter-file";

/** The newest days, which live events change: their blocks are read at every question. */
const LIVE_DAYS = 2;
/** The bound of all kept sums: 32 MB, some 200,000 videos of one type. Further buckets are summed at every question. */
const MAX_NUMBERS = 4 << 20;
/** The age at which kept sums are read anew, so that an audit never relies on what an audit long before has read. */
const MAX_AGE_MS = MINUTE_MS;

export class DaySums {
  readonly #changes: CellChangesReader;
  readonly #commits: CommitsOfOthers;
  readonly #kept = new Map<number, Block>();
  #numbers = 0;
  /** The days before this one are in the kept sums. */
  #through = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #mark = 0;
  #version = -1;

  constructor(
    db: DatabaseSync,
    private readonly blocks: BlockReader,
  ) {
    this.#changes = new CellChangesReader(db);
    this.#commits = new CommitsOfOthers(db, COUNTERS_FILE);
  }

  /** Adds the sums of the bucket's days to `into`; only those of `insides`, when given. On the caller's snapshot. */
  addTo(into: Block, bucket: number, insides?: ReadonlySet<number>): void {
    this.#look();
    let past = this.#kept.get(bucket);
    if (past === undefined) {
      past = new Block();
      this.#addDays(past, bucket, 1 - MAX_TIME, this.#through);
      if (this.#numbers + past.data.length <= MAX_NUMBERS) {
        this.#kept.set(bucket, past);
        this.#numbers += past.data.length;
      }
    }
    into.add(past, 0, insides);
    this.#addDays(into, bucket, this.#through, MAX_TIME, insides);
  }

  #addDays(into: Block, bucket: number, from: number, to: number, insides?: ReadonlySet<number>): void {
    for (let day = this.blocks.nextTime("day", from, to); day !== undefined; ) {
      const end = Math.min(day + TIMES_AT_ONCE, to);
      for (const [id, bytes] of this.blocks.run("day", day, end, bucket))
        into.add(
          decodeBlock(bytes, scratch, () => rowName("day", id)),
          0,
          insides,
        );
      day = this.blocks.nextTime("day", end, to);
    }
  }

  /** Forgets the kept sums where one of their days has changed, or may have. */
  #look(): void {
    const version = this.#commits.count();
    let isStale = performance.now() - this.#readAtMs > MAX_AGE_MS;
    const newest = this.#changes.since(this.#mark, (level, time) => {
      if (level === "day" && time < this.#through) isStale = true;
    });
    // A commit of another connection that no mark tells of was made by hand.
    const isUnexplained = version !== this.#version && newest === this.#mark;
    this.#version = version;
    if (newest !== undefined && !isStale && !isUnexplained) {
      this.#mark = newest;
      return;
    }
    this.#kept.clear();
    this.#numbers = 0;
    this.#mark = this.#changes.last();
    this.#readAtMs = performance.now();
    this.#through = (this.blocks.lastTime("day", 1 - MAX_TIME, MAX_TIME) ?? 0) + 1 - LIVE_DAYS;
  }
}

const scratch = new Block();
