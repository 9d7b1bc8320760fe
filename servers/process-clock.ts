// SPDX-License-Identifier: Apache-2.0
/** The clock of a test or of the soak, which processes follow. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Names the file that says how far ahead a process' clock is (shifted-clock.ts). */
export const CLOCK_FILE_VARIABLE = "PROCESS_CLOCK_FILE";
const PRELOADED = join(__dirname, "shifted-clock.js");

/**
 * A clock for processes of a test, ahead of the machine's by a chosen time. Node processes read it through their
 * environment, a Kafka broker through its options. Every other process keeps the machine's clock.
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

  /** The environment of a process that uses this clock. */
  get environment(): Record<string, string> {
    return { [CLOCK_FILE_VARIABLE]: this.file, NODE_OPTIONS: `--require ${PRELOADED}` };
  }

  /** Every running process follows within moments. */
  advance(byMs: number): void {
    this.ahead += byMs;
    this.write();
  }

  /** Writes in one step, because a half-written file would be another time. */
  private write(): void {
    writeFileSync(`${this.file}.new`, String(this.ahead));
    renameSync(`${this.file}.new`, this.file);
  }
}
