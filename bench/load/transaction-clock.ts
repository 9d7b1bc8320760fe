// SPDX-License-Identifier: Apache-2.0
/**
 * Measures the write transactions of a process that `node --require` gives this module (`clockedBy`). A probe from
 * outside sees only the time of the clock, in which a writer that waits for a processor counts, too. The measurement of
 * batch commands beside a service reads it.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { commandLine, environment } from "../../cli/environment";
import { threadCpuMs } from "../../io/sqlite/transaction-size";

const FILE = "BENCH_TRANSACTIONS";
/** Shorter transactions are not written down. */
const NOTED_MS = 5;

export interface Transaction {
  endedAtMs: number;
  /** The file of the database. */
  store: string;
  /** What ran: the program, and its command. */
  program: string;
  /** Processor time of the thread, from BEGIN to the end of COMMIT. */
  cpuMs: number;
  wallMs: number;
}

/** Environment of a process whose transactions go to `file`. */
export const clockedBy = (file: string): Record<string, string> => ({
  [FILE]: file,
  NODE_OPTIONS: `--require ${join(__dirname, "transaction-clock.js")}`,
});

export function transactionsIn(file: string): Transaction[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Transaction);
}

function measure(file: string): void {
  const [, script = "", command = ""] = commandLine();
  const program = `${basename(script)} ${command}`;
  const begun = new WeakMap<DatabaseSync, { cpuMs: number; wallMs: number }>();
  const exec = DatabaseSync.prototype.exec;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
    exec.call(this, sql);
    if (/^BEGIN (IMMEDIATE|EXCLUSIVE)/.test(sql)) begun.set(this, { cpuMs: threadCpuMs(), wallMs: performance.now() });
    if (!/^(COMMIT|ROLLBACK)/.test(sql)) return;
    const start = begun.get(this);
    begun.delete(this);
    if (start === undefined) return;
    const [cpuMs, wallMs] = [threadCpuMs() - start.cpuMs, performance.now() - start.wallMs];
    if (wallMs < NOTED_MS) return;
    const store = basename(this.location() ?? "");
    const noted: Transaction = { endedAtMs: Date.now(), store, program, cpuMs, wallMs };
    appendFileSync(file, `${JSON.stringify(noted)}\n`);
  };
}

const file = environment()[FILE];
if (file !== undefined) measure(file);
