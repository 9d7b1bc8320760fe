// SPDX-License-Identifier: Apache-2.0
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Names the file that says how far ahead a process' clock is (shifted-clock.ts). */
export const CLOCK_FILE_VARIABLE = "PROCESS_CLOCK_FILE";
const PRELOADED = join(__dirname, "shifted-clock.js");

/**
 * A clock for processes of a test, ahead of the machine's by as much as is asked for: Node processes take it from their
 * environment, a Kafka broker from its options. Every other process keeps the machine's.
 */
export class ProcessClock {
  private ahead = 0;

  /** `file`: holds by how many milliseconds, for whatever process reads it. */
  constructor(readonly file: string) {
    this.write();
  }

  get aheadMs(): number {
    return this.ahead;
  }

  now(): number {
    return Date.now() + this.ahead;
  }

  /** Environment of a process that goes by this clock. */
  get environment(): Record<string, string> {
    return { [CLOCK_FILE_VARIABLE]: this.file, NODE_OPTIONS: `--require ${PRELOADED}` };
  }

  /** Every process that runs follows within moments. */
  advance(byMs: number): void {
    this.ahead += byMs;
    this.write();
  }

  /** In one step: a file that is half written would be another time. */
  private write(): void {
    writeFileSync(`${this.file}.new`, String(this.ahead));
    renameSync(`${this.file}.new`, this.file);
  }
}
