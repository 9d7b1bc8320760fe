// SPDX-License-Identifier: Apache-2.0
/** The rule of the ranking index, looked at in the rows themselves: no entry that a stored cell needs is missing. */
import { isBaseHour } from "../../../io/bigtable/base-cells";
import { storedCells } from "../../../io/bigtable/cells";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { mutateRows, readRows } from "../../../io/bigtable/rows";

export interface RankRule {
  /** Cells of at least 8 events without an entry that bounds them. */
  missing: string[];
  /** Entries of videos without such a cell: they cost time. */
  idle: number;
  entries: string[];
}

export async function rankRule(config: BigtableConfig): Promise<RankRule> {
  const connection = new BigtableConnection(config);
  const rows = await readRows(connection, {
    tableName: connection.tables.summaries,
    ranges: [{ start: "0", end: "~" }],
    filter: { passAllFilter: true },
  });
  await connection.close();
  const largest = new Map<string, number>();
  const entries = rows.filter(({ key }) => key.startsWith("r")).map(({ key }) => key);
  for (const key of entries) {
    const [, level, type, exponent, time, ...video] = key.split("#");
    const name = `${level} ${time} ${type} ${video.join("#")}`;
    largest.set(name, Math.max(largest.get(name) ?? 0, Number(exponent)));
  }
  const missing: string[] = [];
  const needed = new Set<string>();
  for (const { key, cells } of rows.filter((row) => !row.key.startsWith("r"))) {
    for (const { family, qualifier, cell } of storedCells(cells)) {
      if (!["h", "d", "mo"].includes(family) || cell.count < 8 || (family === "h" && isBaseHour(qualifier))) continue;
      const at = qualifier.indexOf(":");
      const name = `${family} ${qualifier.slice(0, at)} ${qualifier.slice(at + 1)} ${key.slice(3)}`;
      needed.add(name);
      const exponent = largest.get(name);
      if (exponent === undefined || 2 ** (exponent + 1) <= cell.count) missing.push(`${name}: ${cell.count}`);
    }
  }
  return { missing, idle: [...largest.keys()].filter((name) => !needed.has(name)).length, entries };
}

/**
 * Deletes every entry of the index, as if a program without one had written; and the mark that it is complete, as if no
 * other program had been there.
 */
export async function withoutIndex(config: BigtableConfig, { mark }: { mark: boolean }): Promise<void> {
  const connection = new BigtableConnection(config);
  const { summaries, ledger } = connection.tables;
  const found = { tableName: summaries, ranges: [{ start: "r", end: "s" }], filter: { passAllFilter: true } };
  const gone = (key: string) => ({ key, mutations: [{ deleteFromRow: {} }] });
  const rows = await readRows(connection, found);
  await mutateRows(
    connection,
    summaries,
    rows.map(({ key }) => gone(key)),
  );
  if (mark) await mutateRows(connection, ledger, [gone("z#indexes")]);
  await connection.close();
}
