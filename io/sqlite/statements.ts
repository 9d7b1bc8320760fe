// SPDX-License-Identifier: Apache-2.0
/** A SQLite connection with its prepared statements, for the adapters of this folder. */
import { performance } from "node:perf_hooks";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { inTransaction, onSnapshot, orUnavailable } from "./connection";

export type Row = Record<string, unknown>;

/**
 * The length of a transaction. Beside a live stream no transaction may take 100 ms, because other processes wait for
 * it.
 */
const PIECE_MS = 25;

/** One connection with its prepared statements. It writes whole, or in pieces between which others may write. */
export class Statements {
  readonly #prepared = new Map<string, StatementSync>();

  constructor(
    readonly db: DatabaseSync,
    private readonly file: string,
  ) {}

  all(sql: string, ...values: (number | string)[]): Row[] {
    return orUnavailable(this.file, () => this.#statement(sql).all(...values));
  }

  run(sql: string, ...values: (number | string | null)[]): void {
    this.#statement(sql).run(...values);
  }

  write(work: () => void): void {
    inTransaction(this.db, work);
  }

  snapshot<T>(work: () => T): T {
    return orUnavailable(this.file, () => onSnapshot(this.db, work));
  }

  /**
   * Writes each item whole, and several in one transaction as long as the transaction is short. Other work of the
   * process runs between transactions.
   */
  async writeInPieces<Item>(items: Iterable<Item>, write: (item: Item) => void): Promise<void> {
    const all = [...items];
    for (let done = 0; done < all.length; ) {
      if (done > 0) await new Promise((resolve) => setImmediate(resolve));
      this.write(() => {
        const endsAt = performance.now() + PIECE_MS;
        while (done < all.length && performance.now() < endsAt) write(all[done++]!);
      });
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}
