// SPDX-License-Identifier: Apache-2.0
/**
 * Reads rows into knowledge, parents before children: totals and months, then days, hours, minutes. Children only grow,
 * so a parent that equals the sum of children read after it did equal that sum. (One read with interleaved filters
 * would be atomic. Such a read of a row with many hours costs far too much: in the emulator its time grows with the
 * square of the row's width.) The rounds of the counter store load here what they do not know.
 */
import { inParallel } from "../flow/in-parallel";
import type { BigtableConnection } from "./connection";
import { KnownMinutes, KnownSummary, marksOf } from "./known-rows";
import { allOf, columnRange } from "./row-filters";
import { DAY_FAMILY, HOUR_FAMILY, MONTH_FAMILY, TOTAL_FAMILY, WRITER_FAMILY } from "./row-keys";
import { type Row, type RowFilter, readRows } from "./rows";

/** The cells of a summary row that a writer needs. */
export interface SummaryNeeds {
  days: Set<string>;
  months: Set<string>;
}

const GROUPS_AT_ONCE = 8;
const SMALL_FAMILIES: RowFilter = {
  familyNameRegexFilter: `${TOTAL_FAMILY}|${MONTH_FAMILY}|${WRITER_FAMILY}`,
};

export class RowLoader {
  constructor(
    private readonly connection: BigtableConnection,
    private readonly writerId: string,
  ) {}

  /** Returns knowledge of the rows with these keys; missing rows are known to be empty. */
  async minutes(keys: readonly string[]): Promise<Map<string, KnownMinutes>> {
    const rows = await this.#rows(this.connection.tables.minutes, keys, { passAllFilter: true });
    return new Map(keys.map((key) => [key, new KnownMinutes(rows.get(key), this.writerId)]));
  }

  /** Adds the missing cells to `known`, by row key. */
  async summaries(needs: ReadonlyMap<string, SummaryNeeds>, known: Map<string, KnownSummary>): Promise<void> {
    const table = this.connection.tables.summaries;
    const unknown = [...needs.keys()].filter((key) => !known.has(key));
    const rows = await this.#rows(table, unknown, SMALL_FAMILIES);
    for (const key of unknown) {
      const summary = new KnownSummary();
      const cells = rows.get(key)?.cells ?? [];
      summary.marks = marksOf(cells, this.writerId);
      summary.take(cells);
      known.set(key, summary);
    }
    await this.#children(needs, known, DAY_FAMILY);
    await this.#children(needs, known, HOUR_FAMILY);
  }

  /** Returns the writers' marks on rows; `own` is this writer's mark. */
  async marks(tableName: string, keys: readonly string[]): Promise<Map<string, { others: string; own: number }>> {
    const rows = await this.#rows(tableName, keys, allOf(WRITER_FAMILY));
    return new Map(
      keys.map((key) => {
        const cells = rows.get(key)?.cells ?? [];
        const own = cells.find(({ qualifier }) => qualifier === this.writerId)?.version ?? 0;
        return [key, { others: marksOf(cells, this.writerId), own }];
      }),
    );
  }

  /** Loads the days of months, or the hours of days, that are not loaded yet. */
  async #children(
    needs: ReadonlyMap<string, SummaryNeeds>,
    known: ReadonlyMap<string, KnownSummary>,
    family: typeof DAY_FAMILY | typeof HOUR_FAMILY,
  ): Promise<void> {
    const keysByParent = new Map<string, string[]>();
    for (const [key, { days, months }] of needs) {
      const summary = known.get(key)!;
      const loaded = family === DAY_FAMILY ? summary.loadedMonths : summary.loadedDays;
      for (const parent of family === DAY_FAMILY ? months : days) {
        if (loaded.has(parent)) continue;
        loaded.add(parent);
        const keys = keysByParent.get(parent);
        if (keys === undefined) keysByParent.set(parent, [key]);
        else keys.push(key);
      }
    }
    await inParallel(keysByParent, GROUPS_AT_ONCE, async ([parent, keys]) => {
      const rows = await this.#rows(this.connection.tables.summaries, keys, columnRange(family, parent, `${parent}:`));
      for (const [key, { cells }] of rows) known.get(key)!.take(cells);
    });
  }

  async #rows(tableName: string, keys: readonly string[], filter: RowFilter): Promise<Map<string, Row>> {
    const rows = await readRows(this.connection, { tableName, keys: [...keys].sort(), filter });
    return new Map(rows.map((row) => [row.key, row]));
  }
}
