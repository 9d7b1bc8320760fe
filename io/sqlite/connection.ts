// SPDX-License-Identifier: Apache-2.0
/**
 * Opens, migrates and writes every SQLite file of Viewmill: WAL with synchronous=FULL (a commit survives power loss),
 * writers that wait for each other (BEGIN IMMEDIATE and a busy timeout), schema versions in PRAGMA user_version. This
 * file alone decides which SQLite errors mean "the store cannot write now". Every adapter of this folder opens its file
 * here.
 */
import { existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { StoreUnavailableError } from "../ports/errors";

export interface Schema {
  /** PRAGMA user_version of a file with all `migrations`. */
  version: number;
  /**
   * `migrations[n]` lifts a file from version n to n + 1: SQL, or work on the connection, inside the transaction that
   * lifts the file.
   */
  migrations: readonly (string | ((db: DatabaseSync) => void))[];
  /**
   * Whether deleted pages can be returned to the disk (PRAGMA incremental_vacuum). An older file is rewritten once,
   * when it is lifted.
   */
  shrinks?: boolean;
  /** The page size in bytes, fixed when a file is created. */
  pageSizeBytes?: number;
}

export interface OpenOptions {
  /** How long a statement waits for another process's transaction. Default 10,000 ms. */
  busyTimeoutMs?: number;
  /** PRAGMA cache_size, bytes. Default 16 MiB. */
  cacheBytes?: number;
  /** WAL pages after which a commit also checkpoints. SQLite's default is 1,000. */
  walAutocheckpointPages?: number;
  /** Upper bound of the file (without its WAL): SQLITE_FULL beyond it. Default: the disk. */
  maxFileBytes?: number;
}

/** Thrown when a newer Viewmill wrote the file. */
class SchemaVersionError extends Error {
  override readonly name = "SchemaVersionError";
}

/**
 * Opens for reading and writing, creates the file and its schema when missing. Throws `StoreUnavailableError`,
 * `SchemaVersionError`.
 */
export function openDatabase(file: string, schema: Schema, options: OpenOptions = {}): DatabaseSync {
  return orUnavailable(file, () => {
    const db = new DatabaseSync(file, { timeout: options.busyTimeoutMs ?? 10_000 });
    try {
      if (schema.pageSizeBytes !== undefined) db.exec(`PRAGMA page_size = ${schema.pageSizeBytes}`);
      if (schema.shrinks === true) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
      db.exec("PRAGMA journal_mode = WAL");
      db.exec("PRAGMA synchronous = FULL");
      db.exec(`PRAGMA cache_size = -${Math.ceil((options.cacheBytes ?? 16 << 20) / 1024)}`);
      // Without this limit a WAL that grew in a burst would hold the disk space for ever.
      db.exec(`PRAGMA journal_size_limit = ${64 << 20}`);
      if (options.walAutocheckpointPages !== undefined) {
        db.exec(`PRAGMA wal_autocheckpoint = ${options.walAutocheckpointPages}`);
      }
      if (options.maxFileBytes !== undefined) {
        const pageSize = pragmaNumber(db, "page_size");
        db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxFileBytes / pageSize))}`);
      }
      migrate(db, file, schema);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/**
 * Opens for reading only. A file that is missing or older is created or migrated first, so that a reader may start
 * before any writer did. Throws `StoreUnavailableError`, `SchemaVersionError`.
 */
export function openReadOnly(file: string, schema: Schema, options: OpenOptions = {}): DatabaseSync {
  if (!existsSync(file)) openDatabase(file, schema, options).close();
  return orUnavailable(file, () => {
    const open = () => new DatabaseSync(file, { readOnly: true, timeout: options.busyTimeoutMs ?? 10_000 });
    let db = open();
    try {
      if (pragmaNumber(db, "user_version") < schema.version) {
        db.close();
        openDatabase(file, schema, options).close();
        db = open();
      }
      refuseNewer(pragmaNumber(db, "user_version"), file, schema);
      db.exec(`PRAGMA cache_size = -${Math.ceil((options.cacheBytes ?? 16 << 20) / 1024)}`);
      return db;
    } catch (error) {
      if (db.isOpen) db.close();
      throw error;
    }
  });
}

/**
 * Runs `work` in BEGIN IMMEDIATE .. COMMIT; rolled back when it throws. Throws `StoreUnavailableError` as
 * `orUnavailable`.
 */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  return orUnavailable("", () => {
    db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      db.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLITE_FULL and SQLITE_IOERR may have rolled back by themselves.
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  });
}

/** Runs `work` on one snapshot of the file: a commit of another process meanwhile is invisible. */
export function onSnapshot<T>(db: DatabaseSync, work: () => T): T {
  if (db.isTransaction) return work();
  return orUnavailable("", () => {
    const { begin, commit } = snapshotStatements(db);
    begin.run();
    try {
      return work();
    } finally {
      if (db.isTransaction) commit.run();
    }
  });
}

interface SnapshotStatements {
  begin: StatementSync;
  commit: StatementSync;
}

const prepared = new WeakMap<DatabaseSync, SnapshotStatements>();

/** Prepared once a connection, because most snapshots are of one short read. */
function snapshotStatements(db: DatabaseSync): SnapshotStatements {
  let statements = prepared.get(db);
  if (statements === undefined) {
    statements = { begin: db.prepare("BEGIN"), commit: db.prepare("COMMIT") };
    prepared.set(db, statements);
  }
  return statements;
}

/** SQLite result codes of a store that cannot be used now, though the statement was right. */
const UNAVAILABLE = new Map([
  [3, "no permission"],
  [5, "locked by another process for too long"],
  [6, "locked"],
  [8, "read-only"],
  [10, "disk I/O error"],
  [11, "database file is damaged"],
  [13, "disk or size bound is full"],
  [14, "cannot open"],
  [26, "not a database file"],
]);

/**
 * Rethrows SQLite's errors of a store that cannot be used now as `StoreUnavailableError`; every other error unchanged.
 */
export function orUnavailable<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const unavailable = asUnavailable(error, file);
    throw unavailable ?? error;
  }
}

function asUnavailable(error: unknown, file: string): StoreUnavailableError | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  const meaning = UNAVAILABLE.get(error.errcode & 0xff);
  if (meaning === undefined) return undefined;
  const where = file === "" ? "" : `${file}: `;
  return new StoreUnavailableError(`${where}${meaning} (SQLite: ${error.message})`, { cause: error });
}

function migrate(db: DatabaseSync, file: string, schema: Schema): void {
  const current = pragmaNumber(db, "user_version");
  refuseNewer(current, file, schema);
  if (current === schema.version) return;
  const timeoutMs = pragmaNumber(db, "busy_timeout");
  // Another process may be lifting a large file. Its readers and writers wait for that, which takes longer than a
  // write.
  db.exec(`PRAGMA busy_timeout = ${Math.max(timeoutMs, MIGRATION_WAIT_MS)}`);
  inTransaction(db, () => {
    // The version is read again under the lock, because another process may have migrated the file meanwhile.
    for (let version = pragmaNumber(db, "user_version"); version < schema.version; version++) {
      const migration = schema.migrations[version] ?? "";
      if (typeof migration === "string") db.exec(migration);
      else migration(db);
      db.exec(`PRAGMA user_version = ${version + 1}`);
    }
  });
  if (current > 0 && schema.shrinks === true) compact(db);
  db.exec(`PRAGMA busy_timeout = ${timeoutMs}`);
}

const MIGRATION_WAIT_MS = 600_000;

/**
 * Returns the free space of a migration to the disk, where no other process writes and the disk has room. The file is
 * valid either way.
 */
function compact(db: DatabaseSync): void {
  try {
    db.exec("PRAGMA busy_timeout = 0; PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
  } catch (error) {
    if (asUnavailable(error, "") === undefined) throw error;
  }
}

function refuseNewer(version: number, file: string, schema: Schema): void {
  if (version > schema.version) {
    throw new SchemaVersionError(
      `${file} has schema version ${version}, this Viewmill knows up to ${schema.version}: use a newer Viewmill`,
    );
  }
}

function pragmaNumber(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}
