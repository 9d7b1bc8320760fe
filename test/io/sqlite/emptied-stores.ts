// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DEAD_LETTERS_FILE } from "../../../io/sqlite/dead-letter-schema";
import { SqliteDeadLetters } from "../../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { LOG_FILE } from "../../../io/sqlite/log-schema";

export interface IngestStores {
  folder: string;
  log: SqliteEventLog;
  deadLetters: SqliteDeadLetters;
}

const ERASED = {
  [LOG_FILE]: "DELETE FROM accepted; DELETE FROM stamps; DELETE FROM sqlite_sequence",
  [DEAD_LETTERS_FILE]: `DELETE FROM letters; DELETE FROM rejected; DELETE FROM sqlite_sequence;
    UPDATE letters_state SET stored_bytes = 0`,
};

/**
 * Opens the stores of a file's tests once, and returns what gives them to each test, emptied. Each store has a thread,
 * and to start the two threads costs more CPU time than most tests (docs/decisions/0011-test-runs.md). Registers hooks,
 * so that it is called where a file or a `describe` begins.
 */
export function emptiedStores(): () => Promise<IngestStores> {
  let opened: IngestStores | undefined;
  afterAll(async () => {
    if (opened === undefined) return;
    await opened.log.close();
    await opened.deadLetters.close();
    rmSync(opened.folder, { recursive: true, force: true });
    opened = undefined;
  });
  return async () => {
    if (opened === undefined) {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-ingest-"));
      opened = { folder, log: await SqliteEventLog.open({ folder }), deadLetters: new SqliteDeadLetters({ folder }) };
      return opened;
    }
    // A test may have put a function of its own over a method. The stores' own state is private, and no property.
    for (const store of [opened.log, opened.deadLetters])
      for (const replaced of Object.keys(store)) Reflect.deleteProperty(store, replaced);
    await opened.log.trim(await opened.log.head());
    for (const [file, sql] of Object.entries(ERASED)) {
      const database = new DatabaseSync(join(opened.folder, file), { timeout: 60_000 });
      database.exec(sql);
      database.close();
    }
    return opened;
  };
}
