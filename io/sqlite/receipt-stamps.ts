// SPDX-License-Identifier: Apache-2.0
/**
 * Receipt stamps in SQLite. The write API asks for them where instances share a log and their counters are in SQLite.
 */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { BatchQueue } from "../flow/batch-queue";
import { type ReceiptStamps, STAMP_MEMORY_MS, type Stamp } from "../ports";
import { inTransaction, type OpenOptions, openDatabase, type Schema } from "./connection";

export const STAMPS_FILE = "receipt-stamps.sqlite";

const SCHEMA: Schema = {
  version: 1,
  migrations: [
    `CREATE TABLE stamps (key TEXT PRIMARY KEY, stamped_at_ms INTEGER NOT NULL) WITHOUT ROWID;
     CREATE INDEX stamps_by_time ON stamps (stamped_at_ms);`,
  ],
};
/** The stamps of one transaction, which delays all other work of this thread by some 10 ms. */
const MAX_GROUP_STAMPS = 10_000;
const MAX_QUEUE_BYTES = 64 << 20;
const STAMP_BYTES = 100;
/** The stamps that are deleted in one transaction. */
const MAX_FORGOTTEN = 10_000;

/**
 * Receipt stamps of a service whose counters are in a data folder, in a file of their own beside them. Concurrent calls
 * share a transaction.
 */
export class SqliteReceiptStamps implements ReceiptStamps {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #forget: StatementSync;
  readonly #commits: BatchQueue<readonly Stamp[], Stamp[]>;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor({ folder, ...open }: { folder: string } & OpenOptions) {
    this.#db = openDatabase(join(folder, STAMPS_FILE), SCHEMA, { cacheBytes: 4 << 20, ...open });
    this.#put = this.#db.prepare(
      `INSERT INTO stamps VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE
         SET stamped_at_ms = CASE WHEN ?2 - stamped_at_ms < ${STAMP_MEMORY_MS} THEN stamped_at_ms ELSE ?2 END
       RETURNING stamped_at_ms`,
    );
    this.#forget = this.#db.prepare(
      `DELETE FROM stamps WHERE key IN
         (SELECT key FROM stamps INDEXED BY stamps_by_time WHERE stamped_at_ms <= ? LIMIT ${MAX_FORGOTTEN})`,
    );
    this.#commits = new BatchQueue({
      commit: async (calls) => this.#commit(calls),
      sizeBytes: (stamps) => stamps.length * STAMP_BYTES,
      maxGroupItems: 1_000,
      maxGroupBytes: MAX_GROUP_STAMPS * STAMP_BYTES,
      maxQueueBytes: MAX_QUEUE_BYTES,
    });
  }

  /** Rejects with `LogFullError`, too. */
  async hold(proposed: readonly Stamp[]): Promise<Stamp[]> {
    return proposed.length === 0 ? [] : this.#commits.add(proposed);
  }

  async close(): Promise<void> {
    await this.#commits.idle();
    this.#db.close();
  }

  #commit(calls: readonly (readonly Stamp[])[]): Stamp[][] {
    return inTransaction(this.#db, () => {
      const held = calls.map((stamps) => stamps.map((stamp) => this.#hold(stamp)));
      // Stamps are kept twice as long as they are valid, because clocks of instances differ.
      const oldestMs = calls.flat().reduce((oldest, { stampedAtMs }) => Math.min(oldest, stampedAtMs), Infinity);
      this.#forget.run(oldestMs - 2 * STAMP_MEMORY_MS);
      return held;
    });
  }

  #hold({ key, stampedAtMs }: Stamp): Stamp {
    return { key, stampedAtMs: Number(this.#put.get(key, stampedAtMs)!.stamped_at_ms) };
  }
}
