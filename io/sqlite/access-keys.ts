// SPDX-License-Identifier: Apache-2.0
/**
 * Access keys in keys.sqlite of the data folder: a row for each key, and a row for each day and instance that used it.
 * Admission reads them, and `viewmill keys` changes them.
 */
import { join } from "node:path";
import type { AccessKey, AccessKeys, KeyUse, ListedKey } from "../ports/access-keys";
import { openDatabase, type Schema } from "./connection";
import { Statements } from "./statements";

const FILE = "keys.sqlite";
/** The number of days of use that are kept beside the newest. */
const KEPT_DAYS = 2;
const SCHEMA: Schema = {
  version: 1,
  migrations: [
    `CREATE TABLE access_keys (
      id TEXT PRIMARY KEY, created_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER, last_used_at_ms INTEGER, content TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE key_uses (
      key_id TEXT NOT NULL, day INTEGER NOT NULL, instance TEXT NOT NULL, events INTEGER NOT NULL,
      PRIMARY KEY (key_id, day, instance)
    ) WITHOUT ROWID;`,
  ],
};

export class SqliteAccessKeys implements AccessKeys {
  readonly #statements: Statements;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor({ folder, ...options }: { folder: string; busyTimeoutMs?: number }) {
    const file = join(folder, FILE);
    this.#statements = new Statements(openDatabase(file, SCHEMA, { cacheBytes: 1 << 20, ...options }), FILE);
  }

  async add(key: AccessKey): Promise<void> {
    const { id, createdAtMs, ...content } = key;
    this.#statements.write(() =>
      this.#statements.run(
        "INSERT INTO access_keys VALUES (?, ?, NULL, NULL, ?)",
        id,
        createdAtMs,
        JSON.stringify(content),
      ),
    );
  }

  async list(day: number): Promise<ListedKey[]> {
    const { keys, uses } = this.#statements.snapshot(() => ({
      keys: this.#statements.all("SELECT * FROM access_keys ORDER BY created_at_ms, id"),
      uses: this.#statements.all("SELECT key_id, instance, events FROM key_uses WHERE day = ?", day),
    }));
    const used = new Map<string, Map<string, number>>();
    for (const { key_id: keyId, instance, events } of uses) {
      const ofKey = used.get(String(keyId)) ?? new Map<string, number>();
      used.set(String(keyId), ofKey.set(String(instance), Number(events)));
    }
    return keys.map((row) => ({
      id: String(row.id),
      createdAtMs: Number(row.created_at_ms),
      ...(JSON.parse(String(row.content)) as Omit<AccessKey, "id" | "createdAtMs">),
      ...(row.revoked_at_ms === null ? {} : { revokedAtMs: Number(row.revoked_at_ms) }),
      ...(row.last_used_at_ms === null ? {} : { lastUsedAtMs: Number(row.last_used_at_ms) }),
      eventsByInstance: used.get(String(row.id)) ?? new Map(),
    }));
  }

  async revoke(keyId: string, atMs: number): Promise<boolean> {
    this.#statements.write(() =>
      this.#statements.run(
        "UPDATE access_keys SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE id = ?",
        atMs,
        keyId,
      ),
    );
    return this.#statements.all("SELECT 1 FROM access_keys WHERE id = ?", keyId).length > 0;
  }

  async noteUses(instance: string, uses: readonly KeyUse[]): Promise<void> {
    if (uses.length === 0) return;
    this.#statements.write(() => {
      for (const { keyId, day, events, lastUsedAtMs } of uses) {
        this.#statements.run(
          "INSERT INTO key_uses VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = max(events, excluded.events)",
          keyId,
          day,
          instance,
          events,
        );
        this.#statements.run(
          "UPDATE access_keys SET last_used_at_ms = max(coalesce(last_used_at_ms, 0), ?) WHERE id = ?",
          lastUsedAtMs,
          keyId,
        );
      }
      const newest = Math.max(...uses.map(({ day }) => day));
      this.#statements.run("DELETE FROM key_uses WHERE day < ?", newest - KEPT_DAYS);
    });
  }

  async close(): Promise<void> {
    if (this.#statements.db.isOpen) this.#statements.db.close();
  }
}
