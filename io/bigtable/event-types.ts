// SPDX-License-Identifier: Apache-2.0
/**
 * The event types of a deployment: one row of the ledger's table, with a column for each type. The intake asks it for
 * the types that it does not know yet.
 */
import type { EventTypes } from "../ports";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { BOOKS_FAMILY, TYPES_KEY } from "./ledger-keys";
import { setCell } from "./requests";
import { allOf } from "./row-filters";
import { mutateUnless, readRows } from "./rows";

export class BigtableEventTypes implements EventTypes {
  readonly #connection: BigtableConnection;

  constructor(config: BigtableConfig) {
    this.#connection = new BigtableConnection(config);
  }

  /**
   * The server writes a column in one step, unless the row has the maximal number of columns. A type that two callers
   * write is one column.
   */
  async admit(types: readonly string[], bound: number): Promise<ReadonlySet<string>> {
    const known = await this.#all();
    const missing = types.filter((type) => !known.has(type));
    if (missing.length === 0 || known.size >= bound) return known;
    const { ledger } = this.#connection.tables;
    const isFull = { cellsPerRowOffsetFilter: bound - 1 };
    for (const type of missing) {
      const cell = setCell(BOOKS_FAMILY, type, 0, Buffer.alloc(0));
      if (await mutateUnless(this.#connection, ledger, TYPES_KEY, isFull, [cell])) break;
    }
    return this.#all();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #all(): Promise<Set<string>> {
    const query = { tableName: this.#connection.tables.ledger, keys: [TYPES_KEY], filter: allOf(BOOKS_FAMILY) };
    const [row] = await readRows(this.#connection, query);
    return new Set((row?.cells ?? []).map(({ qualifier }) => qualifier));
  }
}
