// SPDX-License-Identifier: Apache-2.0
/**
 * Maps names to ids of the `videos` and `types` tables, with a bounded cache of two generations. When the young
 * generation is full it becomes the old one, and the old one is dropped, which forgets the least recently used names.
 * Writers give new names their ids with it, and readers find ids and names.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { VideoNames } from "../../domain/columns/minute-counts";

const ROWS_A_STATEMENT = 16;
const NAMES_A_LOOK_UP = 64;
export const NOT_ASKED = -1;

export class NameDictionary {
  readonly #find: StatementSync;
  readonly #findMany: StatementSync;
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  /** Caches up to 2 x `generationSize` names. */
  constructor(
    db: DatabaseSync,
    table: "videos" | "types",
    protected readonly generationSize: number,
  ) {
    this.#find = db.prepare(`SELECT id FROM ${table} WHERE name = ?`);
    const names = Array(NAMES_A_LOOK_UP).fill("?").join(", ");
    this.#findMany = db.prepare(`SELECT id, name FROM ${table} WHERE name IN (${names})`);
    this.#findMany.setReturnArrays(true);
  }

  /** Returns the id of a name that has one. */
  known(name: string): number | undefined {
    const id = this.cached(name) ?? this.lookUp(name);
    if (id !== undefined) this.remember(name, id);
    return id;
  }

  /**
   * Looks up many names by few statements, so that `known` finds them. Names beyond whole statements are left to
   * `known`.
   */
  expect(names: Iterable<string>): void {
    const missing: string[] = [];
    for (const name of names) {
      if (this.cached(name) !== undefined) continue;
      missing.push(name);
      if (missing.length < NAMES_A_LOOK_UP) continue;
      for (const [id, found] of this.#findMany.iterate(...missing) as unknown as Iterable<[number, string]>) {
        this.remember(found, id);
      }
      missing.length = 0;
    }
  }

  /** Forgets ids given in a transaction that was rolled back. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
  }

  protected cached(name: string): number | undefined {
    const id = this.#young.get(name);
    return id !== undefined || this.#old.size === 0 ? id : this.#old.get(name);
  }

  protected lookUp(name: string): number | undefined {
    const row = this.#find.get(name);
    return row && Number(row.id);
  }

  protected get isFull(): boolean {
    return this.#young.size >= this.generationSize;
  }

  protected remember(name: string, id: number): void {
    if (!this.#young.has(name)) this.add(name, id);
  }

  /** Remembers a name that the young generation does not have. */
  protected add(name: string, id: number): void {
    if (this.isFull) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, id);
  }
}

/**
 * Gives ids to new names inside write transactions: one larger than the largest. While the cache holds every name, a
 * name that is missing in it is new without a look-up. New names are written many in a statement, because a look-up and
 * an insert for each took more time than the cells.
 */
export class GivenNames extends NameDictionary {
  readonly #insert: StatementSync;
  readonly #insertMany: StatementSync;
  readonly #insertOne: StatementSync;
  readonly #largest: StatementSync;
  readonly #after: StatementSync;
  /** The largest known id, and whether the cache holds all names up to it. */
  #last = 0;
  #isComplete = true;
  #waiting: (number | string)[] = [];
  #bySpace = new WeakMap<VideoNames, Float64Array>();

  constructor(db: DatabaseSync, table: "videos" | "types", generationSize: number) {
    super(db, table, generationSize);
    this.#insert = db.prepare(`INSERT INTO ${table} (name) VALUES (?) ON CONFLICT DO NOTHING`);
    // OR ROLLBACK: a statement of many rows that may fail half way keeps a journal of its own with a copy of every page
    // that it changes, which cost 40 % of each new name. A failed statement ends its transaction, as it would anyway.
    const insert = (rows: number) =>
      `INSERT OR ROLLBACK INTO ${table} (id, name) VALUES ${Array(rows).fill("(?, ?)").join(", ")}`;
    this.#insertMany = db.prepare(insert(ROWS_A_STATEMENT));
    this.#insertOne = db.prepare(insert(1));
    this.#largest = db.prepare(`SELECT ifnull(MAX(id), 0) AS id FROM ${table}`);
    this.#after = db.prepare(`SELECT id, name FROM ${table} WHERE id > ?`);
    this.#after.setReturnArrays(true);
  }

  /** Begins a write transaction. Another process may have given ids since the last one. */
  begin(): void {
    const largest = Number(this.#largest.get()!.id);
    if (this.#isComplete && largest > this.generationSize) this.#isComplete = false;
    if (this.#isComplete && largest > this.#last) {
      for (const [id, name] of this.#after.iterate(this.#last) as unknown as Iterable<[number, string]>) {
        this.remember(name, id);
      }
    }
    this.#last = largest;
  }

  /** Returns the id of a name, between `begin` and `flush`. */
  idFor(name: string): number {
    const cached = this.cached(name);
    if (cached !== undefined) return cached;
    if (this.#isComplete && this.isFull) {
      this.flush();
      this.#isComplete = false;
    }
    const id = this.#isComplete ? this.#give(name) : this.#insertOrFind(name);
    this.add(name, id);
    return id;
  }

  /**
   * Ids by the numbers of a space of names: NOT_ASKED until the caller has asked `idFor` and put it in. Holds until the
   * space grows or a transaction fails.
   */
  idsOf(names: VideoNames): Float64Array {
    let ids = this.#bySpace.get(names);
    if (ids === undefined || ids.length < names.videoCount) {
      const larger = new Float64Array(Math.max(1024, names.videoCount * 2)).fill(NOT_ASKED);
      if (ids !== undefined) larger.set(ids);
      ids = larger;
      this.#bySpace.set(names, ids);
    }
    return ids;
  }

  /** Writes the waiting names, before other statements look them up and before the transaction ends. */
  flush(): void {
    const names = this.#waiting;
    for (let i = 0; i < names.length; i += 2) this.#insertOne.run(names[i]!, names[i + 1]!);
    names.length = 0;
  }

  override forget(): void {
    super.forget();
    this.#bySpace = new WeakMap();
    this.#waiting = [];
    this.#last = 0;
    this.#isComplete = true;
  }

  #give(name: string): number {
    const id = ++this.#last;
    this.#waiting.push(id, name);
    if (this.#waiting.length === ROWS_A_STATEMENT * 2) {
      this.#insertMany.run(...this.#waiting);
      this.#waiting.length = 0;
    }
    return id;
  }

  #insertOrFind(name: string): number {
    const { changes, lastInsertRowid } = this.#insert.run(name);
    return Number(changes) === 1 ? Number(lastInsertRowid) : this.lookUp(name)!;
  }
}
