// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const MAIN = join(__dirname, "..", "main.js");

/** The service of the demo: `viewmill serve` in a process of its own. `viewmill demo` starts it. */
export class DemoService {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly ended: Promise<number | null>,
    /** Removed with the service; undefined where the folder is the user's. */
    private readonly temporaryFolder: string | undefined,
  ) {}

  /** Resolves when the service listens. Rejects when it ends before; its own error is on standard error then. */
  static async start(port: number, folder: string | undefined): Promise<DemoService> {
    const temporary = folder === undefined ? mkdtempSync(join(tmpdir(), "viewmill-demo-")) : undefined;
    const flags = ["serve", "--port", String(port), "--data", folder ?? temporary!, "--log-level", "error"];
    const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const url = new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const [, address] = /^viewmill listening on (\S+)$/.exec(line) ?? [];
        if (address !== undefined) resolve(address);
      });
    });
    const first = await Promise.race([url, ended.then(() => undefined)]);
    if (first !== undefined) return new DemoService(first, child, ended, temporary);
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    throw new Error("the service did not start");
  }

  /** Resolves when the service has ended by itself. */
  get exited(): Promise<unknown> {
    return this.ended;
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.ended;
    if (this.temporaryFolder !== undefined) rmSync(this.temporaryFolder, { recursive: true, force: true });
  }
}
