// SPDX-License-Identifier: Apache-2.0
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLogReader } from "../../../io/sqlite/log-reader";
import { Child, removeFolders, temporaryFolder } from "./condition";
import { batchOf, embeddedLogContract } from "./embedded-log-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

embeddedLogContract("SqliteEventLog", { open: (options) => SqliteEventLog.open({ folder, ...options }) });

describe("SqliteEventLog", () => {
  it("has every acknowledged entry after kill -9", async () => {
    for (const acknowledged of [1, 150]) {
      const child = new Child("append-to-log", folder);
      await child.until((lines) => lines.length >= acknowledged);
      await child.kill();
      const reader = new SqliteLogReader({ folder });
      const entries = new Map((await reader.read(0, 1e6, 1e9)).map((entry) => [entry.position, entry]));
      for (const line of child.lines) {
        const [position, caller, n] = line.split(" ");
        const payload = Buffer.from(entries.get(Number(position))!.payload).toString();
        expect(payload.startsWith(`caller ${caller} batch ${n} `)).toBe(true);
      }
      // Entry and books are one transaction: an unacknowledged commit is in both.
      const accepted = [...(await reader.accepted(0, 10)).values()].reduce((sum, events) => sum + events, 0);
      expect(accepted).toBe(entries.size * 2);
      await reader.close();
    }
  });

  it("is read by another connection that was opened before the log existed", async () => {
    const reader = new SqliteLogReader({ folder });
    expect(await reader.head()).toBe(0);
    const log = await SqliteEventLog.open({ folder });
    await log.append(batchOf("seen"));
    expect(await reader.read(0, 10, 1e6)).toHaveLength(1);
    await reader.close();
    await log.close();
  });

  it("says that the store is full, keeps what it acknowledged, and recovers when there is room again", async () => {
    const log = await SqliteEventLog.open({ folder, maxFileBytes: 1 << 20 });
    let acknowledged = 0;
    const fill = async () => {
      for (;;) {
        await log.append(batchOf("x".repeat(100_000)));
        acknowledged++;
      }
    };
    await expect(fill()).rejects.toThrow(StoreUnavailableError);
    expect(acknowledged).toBeGreaterThan(2);
    expect(await log.read(0, 100, 1e8)).toHaveLength(acknowledged);
    expect(await log.accepted(0, 1000)).toEqual(new Map([[100, acknowledged]]));
    expect(await log.backlogBytes()).toBe(acknowledged * 100_000);
    await log.trim(await log.head());
    await log.append(batchOf("x".repeat(100_000)));
    expect(await log.backlogBytes()).toBe(100_000);
    await log.close();
  });

  it("does not open in a folder that is not there", async () => {
    await expect(SqliteEventLog.open({ folder: join(folder, "nowhere") })).rejects.toThrow(StoreUnavailableError);
  });

  it("does not open in a folder that cannot be written", async () => {
    // Permissions do not bind root, and not even root can create a file in /proc.
    const unwritable = process.getuid?.() === 0 ? "/proc/self" : folder;
    if (unwritable === folder) chmodSync(folder, 0o500);
    await expect(SqliteEventLog.open({ folder: unwritable })).rejects.toThrow(StoreUnavailableError);
    if (unwritable === folder) chmodSync(folder, 0o700);
  });

  it("does not open a file of a newer schema", async () => {
    const db = new DatabaseSync(join(folder, "log.sqlite"));
    db.exec("PRAGMA user_version = 99");
    db.close();
    await expect(SqliteEventLog.open({ folder })).rejects.toThrow(/schema version 99/);
  });

  it("prunes stamps older than ten minutes with the next append", async () => {
    const log = await SqliteEventLog.open({ folder });
    const old = Date.now() - 11 * 60_000;
    await log.append({ ...batchOf("a"), stamps: [{ key: "old", stampedAtMs: old }] });
    await log.append(batchOf("b"));
    expect(await log.recentStamps(old)).toEqual([]);
    await log.close();
  });
});
