/**
 * name -> id of the `videos` and `types` tables, with a bounded cache of two generations: when the young one is
 * full it becomes the old one and the old one is dropped, which forgets what was least recently used.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

export class NameDictionary {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  #young = new Map<string, number>();
  #old = new Map<string, number>();

  /** Caches up to 2 x `generationSize` names. */
  constructor(
    db: DatabaseSync,
    table: "videos" | "types",
    private readonly generationSize: number,
  ) {
    this.#find = db.prepare(`SELECT id FROM ${table} WHERE name = ?`);
    this.#insert = db.prepare(`INSERT INTO ${table} (name) VALUES (?) ON CONFLICT DO NOTHING`);
  }

  /** The id, given now when the name is new: inside a write transaction only. */
  idFor(name: string): number {
    return this.known(name) ?? this.#remember(name, this.#create(name));
  }

  /** The id, when the name has one. */
  known(name: string): number | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const id = this.#old.get(name) ?? this.#lookUp(name);
    return id === undefined ? undefined : this.#remember(name, id);
  }

  /** After a rollback: ids given in that transaction do not exist. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
  }

  #lookUp(name: string): number | undefined {
    const row = this.#find.get(name);
    return row && Number(row.id);
  }

  #create(name: string): number {
    return Number(this.#insert.run(name).lastInsertRowid);
  }

  #remember(name: string, id: number): number {
    if (this.#young.size >= this.generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, id);
    return id;
  }
}
