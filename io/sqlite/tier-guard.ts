// SPDX-License-Identifier: Apache-2.0
/**
 * The facts about roll-ups that writers and readers of cells need, looked up once a transaction. A range that is
 * leaving the store is neither written nor read twice.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { type RolledLevel, type RollingRange, type RollUpPhase, StoreUnavailableError } from "../ports";

export class TierGuard {
  readonly #state: StatementSync;
  readonly #ranges: StatementSync;
  #version = -1;
  #rolling: RollingRange | undefined;
  /** Hours whose minutes, and days whose hours, are in roll-ups. */
  #hours = new Set<number>();
  #days = new Set<number>();

  constructor(db: DatabaseSync) {
    this.#state = db.prepare("SELECT version, level, from_ms, to_ms, phase FROM tier_state");
    this.#ranges = db.prepare("SELECT DISTINCT level, from_ms, to_ms FROM roll_ups WHERE is_read = 1");
  }

  /** Grows with every change of these facts. */
  get version(): number {
    return this.#version;
  }

  /** Called at the start of a transaction or a snapshot. */
  begin(): void {
    const row = this.#state.get();
    const version = Number(row?.version ?? 0);
    if (version === this.#version) return;
    this.#version = version;
    this.#rolling = rollingOf(row);
    this.#hours = new Set();
    this.#days = new Set();
    for (const { level, from_ms, to_ms } of this.#ranges.all()) {
      const [units, unitMs] = level === "minute" ? [this.#hours, HOUR_MS] : [this.#days, DAY_MS];
      for (let atMs = Number(from_ms); atMs < Number(to_ms); atMs += unitMs) units.add(atMs / unitMs);
    }
  }

  /**
   * Throws `StoreUnavailableError` where an hour of [hour, toHour) is being rolled up, because it must not change now.
   */
  refuse(hour: number, toHour = hour + 1): void {
    const rolling = this.#rolling;
    if (rolling === undefined || toHour * HOUR_MS <= rolling.fromMs || hour * HOUR_MS >= rolling.toMs) return;
    const range = `${new Date(rolling.fromMs).toISOString()} to ${new Date(rolling.toMs).toISOString()}`;
    throw new StoreUnavailableError(`the ${rolling.level}s of ${range} are being rolled up: write again later`);
  }

  /**
   * Returns whether the minutes of an hour are in roll-ups. The store then has later events alone, and the hour is not
   * the sum of its minutes.
   */
  hasRolledMinutes(hour: number): boolean {
    return this.#hours.size > 0 && this.#hours.has(hour);
  }

  hasRolledHours(day: number): boolean {
    return this.#days.size > 0 && this.#days.has(day);
  }

  /**
   * Returns the times of a level, [from, to), whose cells are in roll-ups and not deleted yet. They must not be read.
   */
  hidden(level: "minute" | "hour" | "day"): { from: number; to: number } | undefined {
    if (this.#rolling?.phase !== "dropping" || this.#rolling.level !== level) return undefined;
    const unitMs = level === "minute" ? MINUTE_MS : HOUR_MS;
    return { from: this.#rolling.fromMs / unitMs, to: this.#rolling.toMs / unitMs };
  }
}

export function rollingOf(row: Record<string, unknown> | undefined): RollingRange | undefined {
  if (row === undefined || row.phase === null) return undefined;
  return {
    level: row.level as RolledLevel,
    fromMs: Number(row.from_ms),
    toMs: Number(row.to_ms),
    phase: row.phase as RollUpPhase,
  };
}
