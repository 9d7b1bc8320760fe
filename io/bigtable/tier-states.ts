// SPDX-License-Identifier: Apache-2.0
/**
 * The state of tiering: one row of the ledger's table (`z#tiers`). b `state` is the state, whose version is the cell's
 * timestamp; b `read:<file>` is a roll-up that readers read, b `written:<file>` one that they do not read yet. Each
 * change is one conditional mutation of the row. cell-tiers.ts changes it, and the guard of writers and readers
 * (tier-guard.ts) follows it.
 */
import { randomUUID } from "node:crypto";
import type { RollingRange, RollUp } from "../ports";
import { StoreUnavailableError } from "../ports";
import type { TierState } from "../ports/cell-tiers";
import type { BigtableConnection } from "./connection";
import { BOOKS_FAMILY, TIERS_KEY } from "./ledger-keys";
import { type Mutation, setCell } from "./requests";
import { allOf, columnRange } from "./row-filters";
import { mutateIf, mutateUnless, type Row, type RowFilter, readRows } from "./rows";

const STATE = "state";
const THE_STATE = columnRange(BOOKS_FAMILY, STATE, `${STATE}\0`);

export const READ = "read:";
export const WRITTEN = "written:";

export interface StoredState {
  version: number;
  rolling?: RollingRange;
  /** Made anew at each change: the process that made the change recognizes it after a lost answer. */
  by?: string;
}

export const rolledUpElsewhere = (): StoreUnavailableError =>
  new StoreUnavailableError("another process is rolling up cells: see to it that one at a time does");

export class TierStates {
  #known: TierState | undefined;

  constructor(private readonly connection: BigtableConnection) {}

  /** Reads one cell where the state is the known one. */
  async tiers(): Promise<TierState> {
    const { version } = await this.state();
    if (this.#known?.version === version) return this.#known;
    // State and files are read together: a row is read as it was at one moment.
    const row = await this.#row(allOf(BOOKS_FAMILY));
    const state = stateOf(row);
    const rollUps = filesOf(row, READ).sort(byRange);
    this.#known = { version: state.version, rollUps, rolling: state.rolling };
    return this.#known;
  }

  async state(): Promise<StoredState> {
    return stateOf(await this.#row(THE_STATE));
  }

  async written(): Promise<RollUp[]> {
    return filesOf(await this.#row(allOf(BOOKS_FAMILY)), WRITTEN);
  }

  /**
   * Changes the state, and the files with it; resolves with the new version. Rejects with `StoreUnavailableError` where
   * another process has changed the state meanwhile.
   */
  async change(
    before: StoredState,
    rolling: RollingRange | undefined,
    files: readonly Mutation[] = [],
  ): Promise<number> {
    const version = before.version + 1;
    const next: StoredState = { version, by: randomUUID(), ...(rolling && { rolling }) };
    const mutations = [setCell(BOOKS_FAMILY, STATE, version, Buffer.from(JSON.stringify(next))), ...files];
    const { ledger } = this.connection.tables;
    const isChanged =
      before.version === 0
        ? !(await mutateUnless(this.connection, ledger, TIERS_KEY, THE_STATE, mutations))
        : await mutateIf(this.connection, ledger, TIERS_KEY, isNow(before.version), mutations);
    // Where an answer was lost, this very process may have made the change.
    if (isChanged || (await this.state()).by === next.by) return version;
    throw rolledUpElsewhere();
  }

  async #row(filter: RowFilter): Promise<Row | undefined> {
    const { ledger } = this.connection.tables;
    return (await readRows(this.connection, { tableName: ledger, keys: [TIERS_KEY], filter }))[0];
  }
}

/** Matches where the newest state has this version. */
const isNow = (version: number): RowFilter => ({
  chain: {
    filters: [
      THE_STATE,
      { cellsPerColumnLimitFilter: 1 },
      { timestampRangeFilter: { startTimestampMicros: version * 1000, endTimestampMicros: version * 1000 + 1 } },
    ],
  },
});

export const encodedFile = (rollUp: RollUp): Buffer => Buffer.from(JSON.stringify(rollUp));

function stateOf(row: Row | undefined): StoredState {
  const cell = row?.cells.find(({ qualifier }) => qualifier === STATE);
  return cell === undefined ? { version: 0 } : (JSON.parse(cell.value.toString()) as StoredState);
}

function filesOf(row: Row | undefined, prefix: string): RollUp[] {
  const cells = row?.cells.filter(({ qualifier }) => qualifier.startsWith(prefix)) ?? [];
  return cells.map(({ value }) => JSON.parse(value.toString()) as RollUp);
}

function byRange(a: RollUp, b: RollUp): number {
  return a.level.localeCompare(b.level) || a.fromMs - b.fromMs || (a.name < b.name ? -1 : 1);
}
