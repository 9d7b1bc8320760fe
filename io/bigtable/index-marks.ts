// SPDX-License-Identifier: Apache-2.0
/**
 * Which indexes of the counters are complete: row `z#indexes` of the ledger's table, a column for each. An index is
 * complete in tables that a program with the index created, or after `completeIndexes` went over all rows; from then on
 * writers keep it complete.
 */
import type { BigtableConnection } from "./connection";
import { BOOKS_FAMILY } from "./ledger-keys";
import { setCell } from "./requests";
import { allOf } from "./row-filters";
import { mutateRows, readRows } from "./rows";

/** `seen`: seen-videos.ts; `ranks`: rank-rows.ts. */
type CounterIndex = "seen" | "ranks";

const INDEXES_KEY = "z#indexes";

export async function completeOnes(connection: BigtableConnection): Promise<ReadonlySet<string>> {
  const query = { tableName: connection.tables.ledger, keys: [INDEXES_KEY], filter: allOf(BOOKS_FAMILY) };
  const [row] = await readRows(connection, query);
  return new Set((row?.cells ?? []).map(({ qualifier }) => qualifier));
}

export async function markComplete(connection: BigtableConnection, indexes: readonly CounterIndex[]): Promise<void> {
  const mutations = indexes.map((index) => setCell(BOOKS_FAMILY, index, 0, Buffer.from("1")));
  await mutateRows(connection, connection.tables.ledger, [{ key: INDEXES_KEY, mutations }]);
}
