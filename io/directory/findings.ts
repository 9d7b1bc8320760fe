// SPDX-License-Identifier: Apache-2.0
/**
 * The findings of an audit whose workers are on this machine, in a directory. `viewmill audit` on a Flink cluster of
 * this machine reads them.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../flow/make-folder";
import type { Findings } from "../ports";

export class DirectoryFindings implements Findings {
  constructor(private readonly options: { folder: string }) {}

  async write(auditId: string, name: string, text: string): Promise<void> {
    const file = this.#file(auditId, name);
    const unfinished = `${file}.${randomUUID()}`;
    makeFolder(join(this.options.folder, auditId));
    await writeFile(unfinished, text);
    await rename(unfinished, file);
  }

  async read(auditId: string, name: string): Promise<string | undefined> {
    try {
      return await readFile(this.#file(auditId, name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  #file(auditId: string, name: string): string {
    if (!PART.test(auditId) || !PART.test(name)) throw new RangeError(`"${auditId}/${name}" is not a finding's name`);
    return join(this.options.folder, auditId, `${name}.json`);
  }
}

const PART = /^[A-Za-z0-9-]{1,100}$/;
