// SPDX-License-Identifier: Apache-2.0
/** The tools that contract suites share: temporary folders, children that are killed, and waiting on a condition. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folders: string[] = [];

/** A new folder under the system's temporary one; removed by `removeFolders`. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-contract-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A child process of dist/test/io/ports/children/, and what it prints, line by line. */
export class Child {
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #process: ChildProcess;
  #changed: () => void = () => undefined;
  #errors = "";
  #over = false;

  constructor(script: string, ...args: string[]) {
    this.#process = spawn(process.execPath, [join(__dirname, "children", `${script}.js`), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#changed();
    });
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.ended = new Promise((resolve) =>
      this.#process.on("close", (code) => {
        this.#over = true;
        resolve(code);
        this.#changed();
      }),
    );
  }

  /** Resolves when `enough(lines)`; rejects when the child ends before. */
  async until(enough: (lines: readonly string[]) => boolean): Promise<void> {
    while (!enough(this.lines)) {
      if (this.#over) throw new Error(`the child ended too early: ${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Holds it where it is, as a machine that hangs does, until `goOn`. */
  pause(): void {
    this.#process.kill("SIGSTOP");
  }
  goOn(): void {
    this.#process.kill("SIGCONT");
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
  }
}

/** Crash tests print their seed. */
export { mulberry32 as seeded } from "../../../domain/seeded-random";

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
