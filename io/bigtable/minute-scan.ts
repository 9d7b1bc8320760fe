// SPDX-License-Identifier: Apache-2.0
/**
 * Scans of the minutes of all videos. In each salt (a key prefix that spreads the load) an hour is one range of keys.
 * Rankings, audits and tiering use it through counter-reads.ts.
 */

import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { correctionOf } from "../../domain/rules/cell-version";
import { hourOf, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { inParallel } from "../flow/in-parallel";
import { isBaseMinute } from "./base-cells";
import { storedCells } from "./cells";
import type { CounterCell } from "./codec";
import type { BigtableConnection } from "./connection";
import { allOf, minutesOfType } from "./row-filters";
import {
  FIRST_HOUR,
  hourOfMinuteRow,
  LAST_HOUR,
  MINUTE_FAMILY,
  minuteRowRange,
  minuteText,
  SALTS,
  videoOfMinuteRow,
} from "./row-keys";
import { pages, type RowFilter, readRows } from "./rows";

/** The largest number of cells held at once, about 100 bytes each. A minute with more cells is held whole. */
const MAX_CELLS_HELD = 500_000;
const SALTS_AT_ONCE = 4;
const ALL_SALTS: readonly number[] = Array.from({ length: SALTS }, (_, salt) => salt);

/** Selects minute cells and leaves out base cells, which stand for minutes that moved to roll-ups (base-cells.ts). */
const MINUTES_ALONE: RowFilter = {
  chain: {
    filters: [allOf(MINUTE_FAMILY), { columnQualifierRegexFilter: Buffer.from(".*:[0-9][0-9]\\+?", "latin1") }],
  },
};

interface HeldCell {
  videoId: string;
  type: string;
  count: number;
  sum: bigint;
  valued: number;
  lastMsInMinute: number;
  correction: number;
  revision: number;
}

export class MinuteScan {
  constructor(private readonly connection: BigtableConnection) {}

  /**
   * Yields the cells of [fromMinute, toMinute) minute by minute, of one salt or of all. Reads as many minutes of an
   * hour together as fit into memory.
   */
  async *cells(
    fromMinute: number,
    toMinute: number,
    salts: readonly number[] = ALL_SALTS,
  ): AsyncGenerator<MinuteCounts, void, undefined> {
    const to = Math.min(toMinute, (LAST_HOUR + 1) * MINUTES_AN_HOUR);
    let minute = Math.max(fromMinute, FIRST_HOUR * MINUTES_AN_HOUR);
    let together = 60;
    while (minute < to) {
      const hour = hourOf(minute);
      const end = Math.min(to, hour * MINUTES_AN_HOUR + MINUTES_AN_HOUR, minute + together);
      const max = together > 1 ? MAX_CELLS_HELD : Number.POSITIVE_INFINITY;
      const held = await this.#held(minute, end, max, salts);
      if (held === "too-many") {
        together = Math.ceil(Math.min(together, end - minute) / 4);
        continue;
      }
      for (const [at, cells] of [...held].sort(([a], [b]) => a - b)) yield asMinuteCounts(at, cells);
      minute = end;
      if (held.size === 0 && minute < to) {
        const next = await this.nextHour(hourOf(minute), Math.ceil(to / MINUTES_AN_HOUR), salts);
        if (next === undefined) return;
        minute = Math.max(minute, next * MINUTES_AN_HOUR);
      }
    }
  }

  /** Calls `take` with the video and the count of each cell of one type that is not zero. */
  async counts(
    eventType: string,
    fromMinute: number,
    toMinute: number,
    take: (videoId: string, count: number) => void,
  ): Promise<void> {
    if (fromMinute >= toMinute) return;
    const { minutes: table } = this.connection.tables;
    const filter = minutesOfType(eventType);
    await this.#eachSalt(ALL_SALTS, async (salt) => {
      const range = minuteRowRange(salt, hourOf(fromMinute), Math.ceil(toMinute / MINUTES_AN_HOUR));
      for await (const { key, cells } of pages(this.connection, table, range, filter)) {
        const firstMinute = hourOfMinuteRow(key) * MINUTES_AN_HOUR;
        for (const { qualifier, cell } of storedCells(cells)) {
          if (isBaseMinute(qualifier)) continue;
          const minute = firstMinute + Number(qualifier.slice(-2));
          const { count } = cell;
          if (minute >= fromMinute && minute < toMinute && count !== 0) take(videoOfMinuteRow(key), count);
        }
      }
    });
  }

  /** Reads minutes of one hour into memory. Returns "too-many" where they have more than `max` cells. */
  async #held(
    fromMinute: number,
    toMinute: number,
    max: number,
    salts: readonly number[],
  ): Promise<Map<number, HeldCell[]> | "too-many"> {
    const hour = hourOf(fromMinute);
    const wanted = Array.from({ length: toMinute - fromMinute }, (_, n) => minuteText(fromMinute + n)).join("|");
    const filter =
      toMinute - fromMinute === 60
        ? allOf(MINUTE_FAMILY)
        : { columnQualifierRegexFilter: Buffer.from(`.*:(${wanted})\\+?`, "latin1") };
    const minutes = new Map<number, HeldCell[]>();
    let held = 0;
    await this.#eachSalt(salts, async (salt) => {
      const range = minuteRowRange(salt, hour, hour + 1);
      for await (const row of pages(this.connection, this.connection.tables.minutes, range, filter)) {
        const videoId = videoOfMinuteRow(row.key);
        for (const { qualifier, cell } of storedCells(row.cells)) {
          if (isBaseMinute(qualifier)) continue;
          const minute = hour * MINUTES_AN_HOUR + Number(qualifier.slice(-2));
          const found = heldCell(videoId, qualifier.slice(0, -3), minute, cell);
          if (found === undefined) continue;
          const cells = minutes.get(minute);
          if (cells === undefined) minutes.set(minute, [found]);
          else cells.push(found);
          held++;
        }
        if (held > max) return;
      }
    });
    return held > max ? "too-many" : minutes;
  }

  /** Returns the first hour of [fromHour, toHour) that has a row with minutes. */
  async nextHour(fromHour: number, toHour: number, salts: readonly number[] = ALL_SALTS): Promise<number | undefined> {
    let next: number | undefined;
    const filters = [MINUTES_ALONE, { cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }];
    const filter: RowFilter = { chain: { filters } };
    await this.#eachSalt(salts, async (salt) => {
      const ranges = [minuteRowRange(salt, fromHour, toHour)];
      const query = { tableName: this.connection.tables.minutes, ranges, filter, limit: 1 };
      for (const { key } of await readRows(this.connection, query)) {
        const hour = hourOfMinuteRow(key);
        if (next === undefined || hour < next) next = hour;
      }
    });
    return next;
  }

  async #eachSalt(salts: readonly number[], work: (salt: number) => Promise<void>): Promise<void> {
    await inParallel(salts, SALTS_AT_ONCE, work);
  }
}

/**
 * Returns undefined where the count is zero, or the last event lies outside of the minute. Only a damaged cell looks
 * like the latter. It is treated as missing, so that an audit writes it again.
 */
function heldCell(videoId: string, type: string, minute: number, cell: CounterCell): HeldCell | undefined {
  const { version, count, sum, valued, revision, lastMs } = cell;
  const lastMsInMinute = lastMs - minute * MINUTE_MS;
  if (count === 0 || !(lastMsInMinute >= 0 && lastMsInMinute < MINUTE_MS)) return undefined;
  return { videoId, type, count, sum, valued, lastMsInMinute, correction: correctionOf(version), revision };
}

function asMinuteCounts(minute: number, cells: readonly HeldCell[]): MinuteCounts {
  const videos = new Map<string, number>();
  const types = new Map<string, number>();
  const counts = {
    minute,
    videos: [] as string[],
    types: [] as string[],
    videoIndex: new Uint32Array(cells.length),
    typeIndex: new Uint32Array(cells.length),
    counts: new Float64Array(cells.length),
    valued: new Float64Array(cells.length),
    sumHigh: new Float64Array(cells.length),
    sumLow: new Float64Array(cells.length),
    lastMsInMinute: new Uint16Array(cells.length),
    corrections: new Float64Array(cells.length),
    revisions: new Float64Array(cells.length),
  };
  for (const [row, cell] of cells.entries()) {
    const { videoId, type, count, sum, valued, lastMsInMinute, correction, revision } = cell;
    counts.videoIndex[row] = indexOf(videos, counts.videos, videoId);
    counts.typeIndex[row] = indexOf(types, counts.types, type);
    counts.counts[row] = count;
    counts.valued[row] = valued;
    counts.sumHigh[row] = Number(sum >> 32n);
    counts.sumLow[row] = Number(sum & 0xffffffffn);
    counts.lastMsInMinute[row] = lastMsInMinute;
    counts.corrections[row] = correction;
    counts.revisions[row] = revision;
  }
  return counts;
}

function indexOf(indexes: Map<string, number>, names: string[], name: string): number {
  let index = indexes.get(name);
  if (index === undefined) {
    index = names.push(name) - 1;
    indexes.set(name, index);
  }
  return index;
}
