// SPDX-License-Identifier: Apache-2.0
/**
 * The event types of a deployment: event-types.sqlite in the data folder, a row per type. The intake asks it for the
 * types that it does not know yet.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { EventTypes } from "../ports";
import { inTransaction, openDatabase, orUnavailable, type Schema } from "./connection";

const FILE = "event-types.sqlite";
const SCHEMA: Schema = {
  version: 1,
  migrations: ["CREATE TABLE event_types (name TEXT PRIMARY KEY) WITHOUT ROWID;"],
};

interface EventTypesOptions {
  /** The data folder; must exist. */
  folder: string;
  busyTimeoutMs?: number;
}

export class SqliteEventTypes implements EventTypes {
  readonly #db: DatabaseSync;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor({ folder, ...options }: EventTypesOptions) {
    this.#db = openDatabase(join(folder, FILE), SCHEMA, { cacheBytes: 1 << 20, ...options });
  }

  async admit(types: readonly string[], bound: number): Promise<ReadonlySet<string>> {
    const known = this.#all();
    if (types.every((type) => known.has(type)) || known.size >= bound) return known;
    return inTransaction(this.#db, () => {
      const admitted = this.#all();
      const insert = this.#db.prepare("INSERT INTO event_types VALUES (?)");
      for (const type of types) {
        if (admitted.size >= bound) break;
        if (admitted.has(type)) continue;
        insert.run(type);
        admitted.add(type);
      }
      return admitted;
    });
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #all(): Set<string> {
    const rows = orUnavailable(FILE, () => this.#db.prepare("SELECT name FROM event_types").all());
    return new Set(rows.map(({ name }) => String(name)));
  }
}
