// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDataFolder, waitForLock } from "../../../io/sqlite/data-folder";
import { Child, removeFolders, temporaryFolder } from "../ports/condition";

afterEach(removeFolders);

describe("the data folder", () => {
  it("is created, and refused to a second service with one clear line until the first lets go", async () => {
    const folder = join(temporaryFolder(), "new", "data");
    const first = openDataFolder(folder);
    expect(() => openDataFolder(folder)).toThrow(expect.objectContaining({ name: "DataFolderError" }));
    expect(() => openDataFolder(folder)).toThrow(/^The data folder .* is in use by another Viewmill service: [^\n]*$/);
    const pipeline = await waitForLock(folder, "pipeline", { deadlineMs: 0 });
    first.release();
    first.release();
    openDataFolder(folder).release();
    pipeline.release();
  });

  it("is free again when the process that held it was killed", async () => {
    const folder = temporaryFolder();
    const child = new Child("hold-lock", folder, "pipeline");
    await child.until((lines) => lines.includes("locked"));
    await expect(waitForLock(folder, "pipeline", { deadlineMs: 0 })).rejects.toThrow(
      expect.objectContaining({ name: "DataFolderError", reason: "locked" }),
    );
    const waiting = waitForLock(folder, "pipeline", { deadlineMs: 20_000 });
    await child.kill();
    (await waiting).release();
  });

  it("stops waiting for a lock when told to", async () => {
    const folder = temporaryFolder();
    const held = await waitForLock(folder, "pipeline", { deadlineMs: 0 });
    const abort = new AbortController();
    const waiting = waitForLock(folder, "pipeline", { deadlineMs: 20_000, signal: abort.signal });
    abort.abort(new Error("shutting down"));
    await expect(waiting).rejects.toThrow("shutting down");
    held.release();
  });

  it("cannot be a file, and says so in one line", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    for (const bad of [file, join(file, "below")]) {
      expect(() => openDataFolder(bad)).toThrow(expect.objectContaining({ reason: "unusable" }));
      expect(() => openDataFolder(bad)).toThrow(/^The data folder .* cannot be written: [^\n]*$/);
    }
  });
});
