// SPDX-License-Identifier: Apache-2.0
/**
 * A folder of Parquet files on one machine: roll-ups, which `viewmill tier` writes and the counter store reads, and
 * exports, which `viewmill export` writes. A file is synced before it gets its name, and the folder after.
 */
import { randomUUID } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "../flow/make-folder";
import type { RollUpBytes, RollUpFolder } from "../ports";
import { namesIn } from "./folder-files";

const NAME = /^[A-Za-z0-9_=][A-Za-z0-9._=-]*(\/[A-Za-z0-9_=][A-Za-z0-9._=-]*)*$/;

export class DirectoryRollUps implements RollUpFolder {
  constructor(private readonly options: { folder: string }) {}

  async write(name: string, content: Uint8Array): Promise<void> {
    const file = this.#file(name);
    const staged = `${file}.${randomUUID()}.tmp`;
    makeFolder(dirname(file));
    try {
      await synced(staged, "wx", (handle) => handle.writeFile(content));
      await rename(staged, file);
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
    // Ends whatever the folder is: the root of the file system is above itself.
    for (let below = dirname(name); ; below = dirname(below)) {
      await synced(join(this.options.folder, below), "r", async () => undefined);
      if (below === ".") break;
    }
  }

  async open(name: string): Promise<RollUpBytes | undefined> {
    const file = this.#file(name);
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found === undefined) return undefined;
    const { size } = found;
    return { byteLength: size, slice: (from, to = size) => sliceOf(file, from, to) };
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
  }

  async names(folder: string): Promise<string[]> {
    return (await namesIn(this.#file(folder))).map((name) => `${folder}/${name}`).filter((name) => NAME.test(name));
  }

  #file(name: string): string {
    if (!NAME.test(name)) throw new RangeError(`"${name.slice(0, 120)}" is not a name of a roll-up`);
    return join(this.options.folder, name);
  }
}

async function synced(
  path: string,
  flags: "wx" | "r",
  work: (handle: Awaited<ReturnType<typeof open>>) => Promise<unknown>,
): Promise<void> {
  const handle = await open(path, flags);
  try {
    await work(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sliceOf(file: string, from: number, to: number): Promise<ArrayBuffer> {
  const bytes = new ArrayBuffer(Math.max(0, to - from));
  const handle = await open(file, "r");
  try {
    for (let read = 0; read < bytes.byteLength; ) {
      const { bytesRead } = await handle.read(new Uint8Array(bytes, read), 0, bytes.byteLength - read, from + read);
      if (bytesRead === 0) throw new Error(`${file} ends before byte ${to}`);
      read += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
