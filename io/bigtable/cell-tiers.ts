// SPDX-License-Identifier: Apache-2.0
/**
 * How cells leave Bigtable for roll-ups. Of two processes that roll up at once, one goes on, and the other one stops
 * with an error. docs/decisions/0037-roll-ups-on-bigtable.md. `viewmill tier` moves cells with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { HOUR_MS } from "../../domain/rules/time";
import type { CellTiers, RollingRange, RollUp, RollUpPhase } from "../ports";
import type { TierState } from "../ports/cell-tiers";
import { hoursIntoBase, isBaseMinute, minutesIntoBase } from "./base-cells";
import { cellName } from "./cells";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { BOOKS_FAMILY } from "./ledger-keys";
import { dropRankedHours } from "./rank-rows";
import { deleteColumn, type Mutation, type RowMutation, setCell } from "./requests";
import { allOf, columnRange } from "./row-filters";
import { HOUR_FAMILY, hourText, MINUTE_FAMILY, minuteRowRange, SALTS, saltRange, WRITER_FAMILY } from "./row-keys";
import { type KeyRange, mutateRows, pages, type Row, type RowFilter } from "./rows";
import { encodedFile, READ, rolledUpElsewhere, type StoredState, TierStates, WRITTEN } from "./tier-states";

const WRITER = "tiering";
const EMPTY = Buffer.alloc(0);
const ROWS_A_PIECE = 500;

interface TiersOptions extends BigtableConfig {
  /**
   * How long a write may be under way: as long is waited after a range is frozen. Default: twice as long as a writer
   * tries, because it writes two tables.
   */
  drainMs?: number;
}

export class BigtableCellTiers implements CellTiers {
  readonly #connection: BigtableConnection;
  readonly #states: TierStates;
  readonly #drainMs: number;
  /** The state that this process made; another one means that another process rolls up. */
  #made: number | undefined;

  /** Opens no connection yet. Throws a RangeError for invalid names. */
  constructor({ drainMs, ...config }: TiersOptions) {
    this.#connection = new BigtableConnection(config);
    this.#states = new TierStates(this.#connection);
    this.#drainMs = drainMs ?? this.#connection.times.totalTimeoutMs * 2;
  }

  tiers(): Promise<TierState> {
    return this.#states.tiers();
  }

  /** A range that another process has frozen is this one's from here on. */
  async freeze(range: Omit<RollingRange, "phase">): Promise<void> {
    const state = await this.#states.state();
    const { rolling } = state;
    const isSame = rolling?.level === range.level && rolling.fromMs === range.fromMs && rolling.phase === "frozen";
    if (rolling !== undefined && !isSame)
      throw new Error(`cannot freeze: the ${rolling.level}s from ${rolling.fromMs} are ${rolling.phase}`);
    this.#made = await this.#states.change(state, { ...range, phase: "frozen" });
    // A writer that looked before the range was frozen has ended its write by then.
    await delay(this.#drainMs);
  }

  async thaw(): Promise<void> {
    await this.#change(await this.#at("frozen"), undefined);
  }

  async expire(rollUps: readonly RollUp[]): Promise<void> {
    const state = await this.#at("frozen");
    const before = await this.#states.written();
    await this.#change(state, { ...state.rolling!, phase: "expiring" }, [
      ...before.map(({ name }) => deleteColumn(BOOKS_FAMILY, WRITTEN + name)),
      ...rollUps.map((one) => setCell(BOOKS_FAMILY, WRITTEN + one.name, state.version + 1, encodedFile(one))),
    ]);
  }

  async commit(): Promise<void> {
    const state = await this.#at("expiring");
    const files = (await this.#states.written()).flatMap((one) => [
      setCell(BOOKS_FAMILY, READ + one.name, state.version + 1, encodedFile(one)),
      deleteColumn(BOOKS_FAMILY, WRITTEN + one.name),
    ]);
    await this.#change(state, { ...state.rolling!, phase: "dropping" }, files);
  }

  async drop(): Promise<void> {
    const { rolling } = await this.#at("dropping");
    const [from, to] = [rolling!.fromMs / HOUR_MS, rolling!.toMs / HOUR_MS];
    if (rolling!.level === "minute") await this.#dropMinutes(from, to);
    else await this.#dropHours(from, to);
    await this.#change(await this.#at("dropping"), undefined);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #dropMinutes(fromHour: number, toHour: number): Promise<void> {
    const { minutes } = this.#connection.tables;
    for (let salt = 0; salt < SALTS; salt++)
      await this.#replace(minutes, minuteRowRange(salt, fromHour, toHour), allOf(MINUTE_FAMILY), minutesIntoBase);
  }

  /** The bases of the minutes go with their hours: the bases of the days contain both. */
  async #dropHours(fromHour: number, toHour: number): Promise<void> {
    const { minutes, summaries } = this.#connection.tables;
    // The base of a day is the first column of the day.
    const hours = columnRange(HOUR_FAMILY, hourText(fromHour).slice(0, 8), hourText(toHour).slice(0, 8));
    for (let salt = 0; salt < SALTS; salt++) {
      await this.#replace(summaries, saltRange(salt), hours, hoursIntoBase);
      await this.#replace(minutes, minuteRowRange(salt, fromHour, toHour), allOf(MINUTE_FAMILY), withoutMinutes);
    }
    await dropRankedHours(this.#connection, fromHour, toHour, () => this.#at("dropping"));
  }

  /** Changes each row by one mutation, which is atomic: the levels above stay right, whatever stops the process. */
  async #replace(table: string, range: KeyRange, filter: RowFilter, change: (row: Row) => Mutation[]): Promise<void> {
    let rows: RowMutation[] = [];
    const write = async () => {
      if (rows.length === 0) return;
      // A process that was away for long must not change what another one has ended.
      await this.#at("dropping");
      await mutateRows(this.#connection, table, rows);
      rows = [];
    };
    const mark = setCell(WRITER_FAMILY, WRITER, Date.now(), EMPTY);
    for await (const row of pages(this.#connection, table, range, filter)) {
      const mutations = change(row);
      if (mutations.length === 0) continue;
      const isDeleted = "deleteFromRow" in mutations[0]!;
      rows.push({ key: row.key, mutations: isDeleted ? mutations : [mark, ...mutations] });
      if (rows.length >= ROWS_A_PIECE) await write();
    }
    await write();
  }

  /** Goes on from where another process stopped, unless this process has rolled up itself. */
  async #at(phase: RollUpPhase): Promise<StoredState> {
    const state = await this.#states.state();
    this.#made ??= state.version;
    if (state.version !== this.#made) throw rolledUpElsewhere();
    if (state.rolling?.phase === phase) return state;
    throw new Error(`a range must be ${phase}, and is ${state.rolling?.phase ?? "not rolled up"}`);
  }

  async #change(before: StoredState, rolling: RollingRange | undefined, files: readonly Mutation[] = []) {
    this.#made = await this.#states.change(before, rolling, files);
    if (rolling === undefined) this.#made = undefined;
  }
}

/** Deletes a row that has no minutes, but the bases of those that left. */
function withoutMinutes({ cells }: Row): Mutation[] {
  return cells.every(({ qualifier }) => isBaseMinute(cellName(qualifier))) ? [{ deleteFromRow: {} }] : [];
}
