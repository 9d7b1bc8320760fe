// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectoryArchive } from "../../../io/directory/archive";
import { archiveContract } from "./archive-contract";
import { removeFolders, temporaryFolder } from "./condition";

afterEach(removeFolders);

archiveContract("DirectoryArchive", {
  open: async () => new DirectoryArchive({ folder: join(temporaryFolder(), "archive") }),
});

describe("DirectoryArchive", () => {
  it("ignores what crashed writers and people left, and clears its staging folder", async () => {
    const folder = temporaryFolder();
    const archive = new DirectoryArchive({ folder });
    const written = await archive.write(5, "a.avro", Buffer.from("a"));
    writeFileSync(join(folder, ".staging", "left.tmp"), "half an obj");
    writeFileSync(join(folder, "date=1970-01-01", "hour=00", "minute=05", "notes.txt"), "mine");
    writeFileSync(join(folder, "date=1970-01-01", "README"), "mine");
    mkdirSync(join(folder, "date=1970-01-01", "hour=99", "minute=05"), { recursive: true });
    mkdirSync(join(folder, "date=1970-01-01", "hour=00", "minute=06"));
    expect(await archive.list(0, 1440)).toMatchObject([written]);
    expect(await archive.minutes(0, 1440)).toEqual([5]);
    await archive.clearStaging();
    expect(readdirSync(folder)).toEqual(["date=1970-01-01"]);
    await archive.write(6, "b.avro", Buffer.from("b"));
  });

  it("writes on after its folders were removed behind its back, and leaves nothing staged", async () => {
    const folder = temporaryFolder();
    const archive = new DirectoryArchive({ folder });
    await archive.write(5, "a.avro", Buffer.from("a"));
    rmSync(join(folder, "date=1970-01-01"), { recursive: true });
    await archive.write(5, "a.avro", Buffer.from("a"));
    rmSync(join(folder, ".staging"), { recursive: true });
    await archive.write(5, "b.avro", Buffer.from("b"));
    expect(await archive.list(5, 6)).toHaveLength(2);
    expect(readdirSync(join(folder, ".staging"))).toEqual([]);
  });
});
