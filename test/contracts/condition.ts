/** What the contract suites share: folders that go away, children that are killed, waiting on a condition. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { deadline } from "../deadline";

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

/** A child process of dist/test/contracts/children/, and what it prints, line by line. */
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

/** A small seeded generator (mulberry32): crash tests print their seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Asks until it holds; rejects after the deadline with the last error, if there was one. */
export async function waitFor(holds: () => Promise<boolean>, deadlineMs: number, pollMs = 200): Promise<void> {
  const endsAt = performance.now() + deadline(deadlineMs);
  let last: unknown = "it never held";
  for (;;) {
    const held = await holds().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (held) return;
    if (performance.now() > endsAt) throw new Error(`not within ${deadlineMs} ms: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
