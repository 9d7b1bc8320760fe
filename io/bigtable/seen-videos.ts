// SPDX-License-Identifier: Apache-2.0
/**
 * The videos in the order in which they were first counted: a log of batches in the ledger's table. Batch n is a column
 * of row `v#<n / 500>`. A writer writes it under the condition that the column does not exist, and knows that batch
 * n - 1 exists. So the log has no gap, no batch ever changes, and a reader at the end of the log finds in later batches
 * whatever is appended later. A writer appends a video before it writes the video's first cell; a video may be in
 * several batches.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { BigtableConnection } from "./connection";
import { pauseMs } from "./errors";
import { BOOKS_FAMILY } from "./ledger-keys";
import { setCell } from "./requests";
import { columnRange } from "./row-filters";
import { mutateUnless, type Row, readRows } from "./rows";

const BATCHES_A_ROW = 500;
/** A batch has at most 130 kB, because an id has at most 128 bytes. */
const VIDEOS_A_BATCH = 1_024;
/** Batches in memory: a few ids each on most days, some 30 MB at the worst. */
const BATCHES_A_READ = 256;
/** The number of digits of 2^40 batches; a place is below 2^50. */
const DIGITS = 13;
const MAX_BATCH = 2 ** 40;
/** After this many batches of other writers, the end of the log is looked for. */
const STEPS_TO_THE_END = 8;

interface Batch {
  number: number;
  videoIds: string[];
}

const columnOf = (batch: number): string => String(batch).padStart(DIGITS, "0");
const rowOf = (row: number): string => `v#${columnOf(row)}`;
const rowOfBatch = (batch: number): string => rowOf(Math.floor(batch / BATCHES_A_ROW));

export class SeenVideos {
  /** The first batch that this process does not know to exist. */
  #end: number | undefined;
  #waiting: string[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #kept: Batch[] = [];

  constructor(private readonly connection: BigtableConnection) {}

  /** Calls while a batch is being written share the next one. Rejects with `StoreUnavailableError`. */
  append(videoIds: readonly string[]): Promise<void> {
    if (videoIds.length === 0) return Promise.resolve();
    for (const videoId of videoIds) this.#waiting.push(videoId);
    this.#next ??= this.#last
      .catch(() => undefined)
      .then(() => {
        this.#last = this.#append(this.#waiting);
        this.#waiting = [];
        this.#next = undefined;
        return this.#last;
      });
    return this.#next;
  }

  /** As `CounterStore.videosSeen`. A place is a batch's number * 1024 + the number of its videos up to the place. */
  async after(place: number, limit: number): Promise<{ videoIds: string[]; last: number }> {
    const videoIds: string[] = [];
    let last = place;
    while (videoIds.length < limit) {
      const batches = await this.#batchesBehind(last);
      if (batches.length === 0) break;
      for (const { number, videoIds: all } of batches) {
        const from = number === Math.floor(last / VIDEOS_A_BATCH) ? last % VIDEOS_A_BATCH : 0;
        const taken = all.slice(from, from + limit - videoIds.length);
        if (taken.length === 0) break;
        videoIds.push(...taken);
        last = number * VIDEOS_A_BATCH + from + taken.length;
      }
    }
    return { videoIds, last };
  }

  /** Looks for the end anew at the next batch: after a failure the tables may be others. */
  forgetEnd(): void {
    this.#end = undefined;
  }

  async #append(videoIds: readonly string[]): Promise<void> {
    for (let from = 0; from < videoIds.length; from += VIDEOS_A_BATCH)
      await this.#appendBatch(videoIds.slice(from, from + VIDEOS_A_BATCH));
  }

  async #appendBatch(videoIds: readonly string[]): Promise<void> {
    const { ledger } = this.connection.tables;
    for (let steps = 1; ; steps++) {
      this.#end ??= await this.#findEnd();
      const batch = this.#end;
      const column = columnOf(batch);
      const exists = columnRange(BOOKS_FAMILY, column, `${column}\0`);
      const cell = setCell(BOOKS_FAMILY, column, 0, Buffer.from(videoIds.join("\n"), "latin1"));
      // After a lost answer the batch may be this one. It is then appended twice, which a reader takes for one.
      const isTaken = await mutateUnless(this.connection, ledger, rowOfBatch(batch), exists, [cell]);
      this.#end = batch + 1;
      if (!isTaken) return;
      if (steps % STEPS_TO_THE_END === 0) {
        this.#end = undefined;
        await delay(pauseMs(1, Math.random));
      }
    }
  }

  async #findEnd(): Promise<number> {
    let [low, high] = [-1, 1];
    const rows = Array.from({ length: Math.log2(MAX_BATCH) }, (_, n) => 2 ** n - 1);
    for (const { key } of await this.#rows(rows)) low = Number(key.slice(2));
    high = low * 2 + 1;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.#rows([middle])).length > 0) low = middle;
      else high = middle;
    }
    const [row] = low < 0 ? [] : await this.#rows([low], BATCHES_A_ROW);
    return row === undefined ? 0 : Number(row.cells.at(-1)!.qualifier) + 1;
  }

  #rows(rows: readonly number[], columns = 1): Promise<Row[]> {
    const filters = [
      { columnRangeFilter: { familyName: BOOKS_FAMILY } },
      { cellsPerRowLimitFilter: columns },
      { stripValueTransformer: true },
    ];
    const tableName = this.connection.tables.ledger;
    return readRows(this.connection, { tableName, keys: rows.map(rowOf), filter: { chain: { filters } } });
  }

  /** Returns some of the batches that have videos behind a place; none where the place is the end. */
  async #batchesBehind(place: number): Promise<Batch[]> {
    const number = Math.floor(place / VIDEOS_A_BATCH);
    const isBehind = (batch: Batch) =>
      batch.number > number || (batch.number === number && batch.videoIds.length > place % VIDEOS_A_BATCH);
    // What is kept has no gap, and holds what is behind the place only where it begins no later than the place's batch.
    const kept = this.#kept[0] !== undefined && this.#kept[0].number <= number ? this.#kept.filter(isBehind) : [];
    if (kept.length > 0) return kept;
    const filters = [columnRange(BOOKS_FAMILY, columnOf(number), "~"), { cellsPerRowLimitFilter: BATCHES_A_READ }];
    const rows = await readRows(this.connection, {
      tableName: this.connection.tables.ledger,
      ranges: [{ start: rowOfBatch(number), end: "v$" }],
      filter: { chain: { filters } },
      // The first row may end with the batch of the place.
      limit: 2,
    });
    const first = rows[0]?.cells ?? [];
    // Batches of the second row follow only where the first one was read to its end.
    const cells = first.length < BATCHES_A_READ ? rows.flatMap((row) => row.cells) : first;
    this.#kept = cells.map(({ qualifier, value }) => ({
      number: Number(qualifier),
      videoIds: value.toString("latin1").split("\n"),
    }));
    return this.#kept.filter(isBehind);
  }
}
