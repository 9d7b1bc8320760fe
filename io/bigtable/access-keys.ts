// SPDX-License-Identifier: Apache-2.0
/**
 * Access keys in the ledger's table. The row `y#keys` has three kinds of columns: `<id>` with the key, `<id>!` with the
 * time of its revocation, and `<id>@<instance>` with a day and the events of that day, whose version is the time of the
 * last use. The port of access keys on Bigtable, for admission and `viewmill keys`.
 */
import { DAY_MS } from "../../domain/rules/time";
import type { AccessKey, AccessKeys, KeyUse, ListedKey } from "../ports/access-keys";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { decodeIntegers, encodeIntegers } from "./ledger-cells";
import { BOOKS_FAMILY, KEYS_KEY } from "./ledger-keys";
import { deleteColumn, type Mutation, setCell } from "./requests";
import { allOf, columnRange } from "./row-filters";
import { mutateRows, type RowCell, readRows } from "./rows";

/** A time later than any revocation: 2255. */
const LAST_MS = 9_000_000_000_000;
/** An instance that has not used a key for this long is forgotten; the newest use of each key stays. */
const USES_KEPT_MS = 3 * DAY_MS;

export class BigtableAccessKeys implements AccessKeys {
  readonly #connection: BigtableConnection;

  constructor(config: BigtableConfig) {
    this.#connection = new BigtableConnection(config);
  }

  async add({ id, ...key }: AccessKey): Promise<void> {
    await this.#mutate([setCell(BOOKS_FAMILY, id, key.createdAtMs, Buffer.from(JSON.stringify(key)))]);
  }

  async list(day: number): Promise<ListedKey[]> {
    const keys = new Map<string, ListedKey & { eventsByInstance: Map<string, number> }>();
    const rest: RowCell[] = [];
    for (const cell of await this.#cells()) {
      if (/[!@]/.test(cell.qualifier)) rest.push(cell);
      else {
        const content = JSON.parse(cell.value.toString()) as Omit<AccessKey, "id">;
        keys.set(cell.qualifier, { id: cell.qualifier, ...content, eventsByInstance: new Map() });
      }
    }
    for (const { qualifier, version, value } of rest) {
      const mark = qualifier.search(/[!@]/);
      const key = keys.get(qualifier.slice(0, mark));
      if (key === undefined) continue;
      if (qualifier[mark] === "!") [key.revokedAtMs] = decodeIntegers(value, 1) as [number];
      else {
        const [usedDay, events] = decodeIntegers(value, 2) as [number, number];
        key.lastUsedAtMs = Math.max(key.lastUsedAtMs ?? 0, version);
        if (usedDay === day) key.eventsByInstance.set(qualifier.slice(mark + 1), events);
      }
    }
    return [...keys.values()].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }

  async revoke(keyId: string, atMs: number): Promise<boolean> {
    const known = await readRows(this.#connection, {
      tableName: this.#connection.tables.ledger,
      keys: [KEYS_KEY],
      filter: columnRange(BOOKS_FAMILY, keyId, `${keyId}\0`),
    });
    if (known.length === 0) return false;
    // The larger version stays, which is that of the earlier revocation.
    await this.#mutate([setCell(BOOKS_FAMILY, `${keyId}!`, LAST_MS - atMs, encodeIntegers([atMs]))]);
    return true;
  }

  /** A later use has the larger version and stays; within a day the events only grow with it. */
  async noteUses(instance: string, uses: readonly KeyUse[]): Promise<void> {
    if (uses.length === 0) return;
    const cells = uses.map(({ keyId, day, events, lastUsedAtMs }) =>
      setCell(BOOKS_FAMILY, `${keyId}@${instance}`, lastUsedAtMs, encodeIntegers([day, events])),
    );
    const newestMs = Math.max(...uses.map(({ lastUsedAtMs }) => lastUsedAtMs));
    await this.#mutate([...cells, ...(await this.#forgotten(newestMs - USES_KEPT_MS))]);
  }

  async #forgotten(beforeMs: number): Promise<Mutation[]> {
    const uses = (await this.#cells()).filter(({ qualifier }) => qualifier.includes("@"));
    const newest = new Map<string, number>();
    const keyOf = (qualifier: string) => qualifier.slice(0, qualifier.indexOf("@"));
    for (const { qualifier, version } of uses)
      newest.set(keyOf(qualifier), Math.max(version, newest.get(keyOf(qualifier)) ?? 0));
    return uses
      .filter(({ qualifier, version }) => version < beforeMs && version < newest.get(keyOf(qualifier))!)
      .map(({ qualifier }) => deleteColumn(BOOKS_FAMILY, qualifier));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #mutate(mutations: Mutation[]): Promise<void> {
    return mutateRows(this.#connection, this.#connection.tables.ledger, [{ key: KEYS_KEY, mutations }]);
  }

  async #cells(): Promise<RowCell[]> {
    const query = { tableName: this.#connection.tables.ledger, keys: [KEYS_KEY], filter: allOf(BOOKS_FAMILY) };
    const [row] = await readRows(this.#connection, query);
    return row?.cells ?? [];
  }
}
