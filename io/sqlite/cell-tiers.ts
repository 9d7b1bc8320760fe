// SPDX-License-Identifier: Apache-2.0
/**
 * Moves cells from counters.sqlite to roll-ups, over a connection of its own, in short transactions. `viewmill tier`
 * runs it.
 */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { CellTiers, RolledLevel, RollingRange, RollUp, RollUpPhase, TierState } from "../ports";
import { BUCKETS } from "./block-tables";
import { inTransaction } from "./connection";
import { COUNTERS_FILE, openCounters } from "./counter-schema";
import { giveBack } from "./give-back";
import { MinuteWriter } from "./minute-writer";
import { type Row, Statements } from "./statements";
import { rollingOf } from "./tier-guard";

/** The rows deleted in one transaction, each about a page: a few milliseconds. */
const ROWS_A_PIECE = 500;
const TIMES_A_PIECE = 240;
const CELLS_FOLDED = 8_000;

export class SqliteCellTiers implements CellTiers {
  readonly #statements: Statements;
  readonly #writer: MinuteWriter;
  #known: TierState | undefined;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor({ folder, busyTimeoutMs }: { folder: string; busyTimeoutMs?: number }) {
    const options = { cacheBytes: 8 << 20, ...(busyTimeoutMs === undefined ? {} : { busyTimeoutMs }) };
    const db = openCounters(join(folder, COUNTERS_FILE), options);
    this.#statements = new Statements(db, COUNTERS_FILE);
    this.#writer = new MinuteWriter(db);
  }

  async tiers(): Promise<TierState> {
    const statements = this.#statements;
    const state = () => statements.all("SELECT * FROM tier_state")[0];
    // Reads of the past ask before they answer.
    if (this.#known?.version === Number(state()?.version)) return this.#known;
    return statements.snapshot(() => {
      const row = state();
      const rows = statements.all("SELECT * FROM roll_ups WHERE is_read = 1 ORDER BY level, from_ms, name");
      this.#known = { version: Number(row?.version ?? 0), rollUps: rows.map(rollUpOf), rolling: rollingOf(row) };
      return this.#known;
    });
  }

  async freeze(range: Omit<RollingRange, "phase">): Promise<void> {
    const { level, fromMs, toMs } = range;
    this.#statements.write(() => {
      const rolling = this.#rolling();
      if (rolling?.level === level && rolling.fromMs === fromMs && rolling.phase === "frozen") return;
      if (rolling !== undefined)
        throw new Error(`cannot freeze: the ${rolling.level}s from ${rolling.fromMs} are ${rolling.phase}`);
      this.#statements.run(
        "UPDATE tier_state SET version = version + 1, level = ?, from_ms = ?, to_ms = ?, phase = 'frozen'",
        level,
        fromMs,
        toMs,
      );
    });
    await this.#foldHours(fromMs / HOUR_MS, toMs / HOUR_MS);
  }

  /** Gives rows to hours that are still sums of their minutes, before the minutes are deleted. */
  async #foldHours(fromHour: number, toHour: number): Promise<void> {
    while (this.#writer.openHours().some((hour) => hour >= fromHour && hour < toHour)) {
      inTransaction(this.#statements.db, () => this.#writer.fold(CELLS_FOLDED));
      await nextTurn();
    }
  }

  async thaw(): Promise<void> {
    this.#statements.write(() => {
      if (this.#rolling()?.phase !== "frozen") throw new Error("nothing is frozen");
      this.#end();
    });
  }

  async expire(rollUps: readonly RollUp[]): Promise<void> {
    this.#statements.write(() => {
      this.#advance("frozen", "expiring");
      this.#statements.run("DELETE FROM roll_ups WHERE is_read = 0");
      for (const { name, level, fromMs, toMs, part, parts, cells, sizeBytes, sha256 } of rollUps) {
        const values = [name, level, fromMs, toMs, part, parts, cells, sizeBytes, sha256];
        this.#statements.run("INSERT INTO roll_ups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", ...values);
      }
    });
  }

  async commit(): Promise<void> {
    this.#statements.write(() => {
      this.#advance("expiring", "dropping");
      this.#statements.run("UPDATE roll_ups SET is_read = 1 WHERE is_read = 0");
    });
  }

  async drop(): Promise<void> {
    const rolling = this.#rolling();
    if (rolling?.phase !== "dropping") throw new Error("nothing is to be dropped");
    const unitMs = rolling.level === "minute" ? MINUTE_MS : HOUR_MS;
    const [from, to] = [(rolling.fromMs / unitMs) * BUCKETS, (rolling.toMs / unitMs) * BUCKETS];
    while (this.#deletePiece(rolling.level, from, to)) await nextTurn();
    await this.#deleteRanks(rolling.level, from / BUCKETS, to / BUCKETS);
    this.#statements.write(() => this.#end());
    await giveBack(this.#statements.db);
  }

  #deletePiece(level: RolledLevel, from: number, to: number): boolean {
    const table = `${level}_blocks`;
    let deleted = false;
    this.#statements.write(() => {
      const rows = this.#statements.all(
        `SELECT id FROM ${table} WHERE id >= ? AND id < ? ORDER BY id LIMIT ${ROWS_A_PIECE}`,
        from,
        to,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      deleted = true;
      this.#statements.run(`DELETE FROM ${table} WHERE id >= ? AND id <= ?`, from, Number(last.id));
    });
    return deleted;
  }

  /** Deletes the ranking index of deleted cells. */
  async #deleteRanks(level: RolledLevel, from: number, to: number): Promise<void> {
    for (const { id } of this.#statements.all("SELECT id FROM types")) {
      for (let time = from; time < to; time += TIMES_A_PIECE) {
        this.#statements.write(() =>
          this.#statements.run(
            "DELETE FROM ranks WHERE level = ? AND type = ? AND time >= ? AND time < ?",
            level === "minute" ? 0 : 1,
            Number(id),
            time,
            Math.min(time + TIMES_A_PIECE, to),
          ),
        );
        await nextTurn();
      }
    }
  }

  async close(): Promise<void> {
    if (this.#statements.db.isOpen) this.#statements.db.close();
  }

  #rolling(): RollingRange | undefined {
    return rollingOf(this.#statements.all("SELECT * FROM tier_state")[0]);
  }

  #advance(from: RollUpPhase, to: RollUpPhase): void {
    const phase = this.#rolling()?.phase;
    if (phase !== from) throw new Error(`a range must be ${from} to be ${to}, and is ${phase ?? "not rolled up"}`);
    this.#statements.run("UPDATE tier_state SET version = version + 1, phase = ?", to);
  }

  #end(): void {
    this.#statements.run(
      "UPDATE tier_state SET version = version + 1, level = NULL, from_ms = NULL, to_ms = NULL, phase = NULL",
    );
  }
}

function rollUpOf(row: Row): RollUp {
  return {
    name: String(row.name),
    level: row.level as RolledLevel,
    fromMs: Number(row.from_ms),
    toMs: Number(row.to_ms),
    part: Number(row.part),
    parts: Number(row.parts),
    cells: Number(row.cells),
    sizeBytes: Number(row.size_bytes),
    sha256: String(row.sha256),
  };
}
