// SPDX-License-Identifier: Apache-2.0
/** The service under measurement. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { HOUR_MS } from "../../domain/rules/time";
import { HttpConnection } from "./http-connection";
import { pauseUntil } from "./latencies";

const MAIN = join(__dirname, "..", "..", "cli", "main.js");
const POLL_MS = 50;
const ASKED_DEADLINE_MS = 600_000;
/** USER_HZ: what /proc counts CPU time in, on every Linux of today. */
const TICKS_A_SECOND = 100;

/** The real service: `serve` with a data folder of its own, any port. */
export interface Service {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** `environment`: beside this process' own. */
export async function startService(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const serve = [MAIN, "serve", "--port", "0", "--data", folder, "--log-level", "error"];
  const child = spawn("env", [...settings, process.execPath, ...serve], { stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const closed = new Promise<void>((resolve) =>
    child.once("close", () => {
      process.off("exit", kill);
      resolve();
    }),
  );
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = /^viewmill listening on (\S+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("close", (code) => reject(new Error(`serve ended with exit ${code} before it listened`)));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await closed;
  };
  return { url, pid: child.pid ?? 0, stop };
}

interface LedgerTotals {
  accepted: number;
  counted: number;
  duplicate: number;
  late: number;
}

/** Resolves when everything accepted is counted; returns the ledger's totals, and how long it took. */
export async function caughtUp(url: string): Promise<LedgerTotals & { waitedMs: number }> {
  const startedMs = performance.now();
  const totals = await askUntil(
    url,
    () => `/v1/ledger?${lastHours(2)}`,
    (body) => {
      const { totals } = JSON.parse(body) as { totals: LedgerTotals };
      return totals.counted + totals.duplicate + totals.late === totals.accepted ? totals : undefined;
    },
  );
  return { ...totals, waitedMs: performance.now() - startedMs };
}

/**
 * Resolves when the audits that a service begins at its start have ended, the check of all totals last. They are
 * processes of their own, and over a large store take a core for many seconds.
 */
export async function auditedAtStart(url: string): Promise<{ waitedMs: number }> {
  const startedMs = performance.now();
  await askUntil(
    url,
    () => "/v1/audits?limit=2",
    (body) => {
      const { audits } = JSON.parse(body) as { audits: readonly { totals?: boolean }[] };
      return audits.find(({ totals }) => totals === true);
    },
  );
  return { waitedMs: performance.now() - startedMs };
}

/** Reads a path again and again, until `found` returns a value of its answer. */
async function askUntil<T>(url: string, path: () => string, found: (body: string) => T | undefined): Promise<T> {
  const deadlineMs = performance.now() + ASKED_DEADLINE_MS;
  const connection = await HttpConnection.open(url);
  try {
    for (;;) {
      const { status, body } = await connection.get(path());
      if (status !== 200) throw new Error(`${path()} was answered ${status}: ${body}`);
      const value = found(body);
      if (value !== undefined) return value;
      if (performance.now() > deadlineMs) throw new Error(`not in time: ${path()}: ${body.slice(-300)}`);
      await pauseUntil(performance.now() + POLL_MS);
    }
  } finally {
    connection.close();
  }
}

/** `start=...&end=...`: the hours behind, and the next ten minutes, which hold what is sent now. */
function lastHours(hours: number): string {
  const now = Date.now();
  const start = new Date(now - hours * HOUR_MS).toISOString();
  return `start=${start}&end=${new Date(now + 600_000).toISOString()}`;
}

export interface ProcessUse {
  pid: number;
  command: string;
  cpuS: number;
  /** Pages that other processes have, too, count in each: Node's own text is 48 MB. */
  rssBytes: number;
  /** A page that n processes share counts as its n-th part: the sum over all processes is what they take together. */
  pssBytes: number;
  peakRssBytes: number;
}

/** The process and all below it, from /proc; empty on systems without. */
export function processTree(pid: number): ProcessUse[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return [processUse(pid), ...children.flatMap(processTree)];
  } catch {
    return [];
  }
}

function processUse(pid: number): ProcessUse {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kibibytes = (name: string, text = status) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0);
  // Fields after the command's name, which may hold spaces: user and system time are the 14th and 15th of all.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  const command =
    readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .find((part) => part.endsWith(".js")) ?? "";
  return {
    pid,
    command: command.slice(command.lastIndexOf("/") + 1),
    cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND,
    rssBytes: kibibytes("VmRSS") * 1024,
    pssBytes: kibibytes("Pss", rollup) * 1024,
    peakRssBytes: kibibytes("VmHWM") * 1024,
  };
}
