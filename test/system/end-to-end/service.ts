// SPDX-License-Identifier: Apache-2.0
/**
 * The service as a user runs it: `viewmill serve` in a process of its own on a free port, a data folder that goes away,
 * requests over HTTP. Tests kill it, restart it and run the other commands beside it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BARE_ENVIRONMENT } from "../../bare-environment";
import { deadline } from "../../deadline";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { until } from "../../until";

const MAIN = join(__dirname, "..", "..", "..", "cli", "main.js");
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 60_000;

/** Environment of every command: no setting of the machine's, and no audit that the test did not ask for. */
const ENVIRONMENT = { ...BARE_ENVIRONMENT, VIEWMILL_AUDIT_ENABLED: "false" };

export type Environment = Record<string, string | undefined>;

export { temporaryFolder, until };

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs one command of the command line to its end. */
export function viewmill(args: readonly string[], environment: Environment = {}, deadlineMs = 120_000): Promise<Ended> {
  const { child, ended } = startViewmill(args, environment);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`viewmill ${args.join(" ")} did not end: ${ended.stdout}${ended.stderr}`));
    }, deadline(deadlineMs));
    child.once("close", () => {
      clearTimeout(timer);
      resolve(ended);
    });
  });
}

/** Starts a command; `ended` fills as it goes, and has its code or signal when it has ended. */
export function startViewmill(
  args: readonly string[],
  environment: Environment = {},
): { child: ChildProcess; ended: Ended } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...ENVIRONMENT, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.add(child);
  const ended: Ended = { code: null, signal: null, stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    ended.stderr += text;
  });
  child.once("close", (code, signal) => {
    started.delete(child);
    Object.assign(ended, { code, signal });
  });
  return { child, ended };
}

const started = new Set<ChildProcess>();
const services = new Set<Service>();

export async function endAll(): Promise<void> {
  for (const service of services) await service.end();
  services.clear();
  for (const child of started) child.kill("SIGKILL");
  started.clear();
}

/** For afterEach: ends what the test started, process by process, and removes its folders. */
export async function cleanUp(): Promise<void> {
  await endAll();
  removeFolders();
}

interface LogLine {
  level: number;
  msg: string;
  [field: string]: unknown;
}

interface ServiceOptions {
  folder?: string;
  environment?: Environment;
}

export class Service {
  readonly folder: string;
  /** The service's log over all its starts. */
  readonly log: LogLine[] = [];
  readonly #environment: Environment;
  #child: ChildProcess | undefined;
  #ended: Promise<number | NodeJS.Signals | null> = Promise.resolve(null);
  #url = "";
  #errors = "";
  #streams: number[] = [];

  private constructor({ folder = temporaryFolder(), environment = {} }: ServiceOptions) {
    this.folder = folder;
    this.#environment = environment;
  }

  /** Resolves when it listens. */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const service = new Service(options);
    services.add(service);
    await service.restart();
    return service;
  }

  /**
   * Starts it (again) on its folder and `port` (0: any), with its environment and `environment`; it must not be
   * running.
   */
  async restart(environment: Environment = {}, port = 0): Promise<void> {
    if (this.#running()) throw new Error("it is still running");
    const child = spawn(process.execPath, [MAIN, "serve", "--port", String(port), "--data", this.folder], {
      env: { ...ENVIRONMENT, ...this.#environment, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#url = "";
    this.#errors = "";
    this.#ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#url ||= /^viewmill listening on (http:\/\/\S+)$/.exec(line)?.[1] ?? "";
    });
    createInterface({ input: child.stderr }).on("line", (line) => this.#logged(line));
    await until(
      "the service listens",
      () => {
        if (!this.#running()) throw new Error(`it ended: ${this.#errors}`);
        return this.#url !== "";
      },
      START_DEADLINE_MS,
    );
  }

  #logged(line: string): void {
    if (!line.startsWith("{")) {
      this.#errors += `${line}\n`;
      return;
    }
    const entry = JSON.parse(line) as LogLine;
    this.log.push(entry);
    if (entry.msg === "stream process started") this.#streams.push(entry.childPid as number);
  }

  #running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get url(): string {
    if (this.#url === "") throw new Error("it does not listen");
    return this.#url;
  }

  listens(): boolean {
    return this.#url !== "" && this.#running();
  }

  get pid(): number {
    if (!this.#running()) throw new Error("it does not run");
    return this.#child!.pid!;
  }

  /** The stream process that runs now; waits for one. */
  streamPid(): Promise<number> {
    return until("a stream process runs", () => this.#streams.find(isAlive));
  }

  /** Every process of it that lives, streams of killed services included. */
  alive(): number[] {
    return [...(this.#running() ? [this.pid] : []), ...this.#streams.filter(isAlive)];
  }

  /** kill -9; resolves when the process is gone. A killed service leaves its stream to end by itself. */
  async kill9(which: "service" | "stream"): Promise<void> {
    if (which === "service") {
      this.#child?.kill("SIGKILL");
      await this.#ended;
      this.#url = "";
      return;
    }
    const pid = await this.streamPid();
    kill(pid);
    await until("the killed stream is gone", () => !isAlive(pid));
  }

  /** SIGTERM, and the exit code or the signal it ended by. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    this.#child?.kill("SIGTERM");
    return this.exited();
  }

  async exited(): Promise<number | NodeJS.Signals | null> {
    await until("the service ends", () => !this.#running(), STOP_DEADLINE_MS);
    return this.#ended;
  }

  /** Ends the service and its children at once. */
  async end(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
    for (const pid of this.#streams) if (isAlive(pid)) kill(pid);
    await until("every stream is gone", () => !this.#streams.some(isAlive));
  }

  /** The parsed body of a GET that must be answered with 200. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}${path}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** One attempt; rejects where there is no answer. */
  post(body: Body): Promise<Response> {
    return fetch(`${this.url}/v1/events`, { method: "POST", headers: body.headers, body: body.bytes });
  }

  /** Sends until it is answered 202, as a client does: over refused connections, cut answers, 429 and 503. */
  async deliver(body: Body, deadlineMs = 60_000): Promise<Accepted> {
    return until(
      "the batch is acknowledged",
      async () => {
        const response = await this.post(body);
        if (response.status === 202) return (await response.json()) as Accepted;
        const text = await response.text();
        if (response.status !== 429 && response.status !== 503) throw new Error(`${response.status} ${text}`);
        return undefined;
      },
      deadlineMs,
    );
  }

  /** Waits until everything acknowledged so far is in the answers. */
  async counted(deadlineMs = 120_000): Promise<void> {
    const sinceMs = Date.now();
    await until(
      "everything acknowledged is counted",
      async () => {
        const { completeThrough } = await this.get<{ completeThrough: string }>("/v1/videos/none");
        return Date.parse(completeThrough) > sinceMs;
      },
      deadlineMs,
    );
  }

  /** Events of a type, all time. */
  async total(videoId: string, eventType = "VIEW"): Promise<number> {
    const { totals } = await this.get<Video>(`/v1/videos/${encodeURIComponent(videoId)}`);
    return totals[eventType]?.count ?? 0;
  }

  ledger(startMs: number, endMs: number): Promise<Ledger> {
    return this.get<Ledger>(`/v1/ledger?start=${new Date(startMs).toISOString()}&end=${new Date(endMs).toISOString()}`);
  }

  /** The strong audit from the command line, its report as it is printed with --json. */
  async audit(...flags: string[]): Promise<{ code: number | null; report: AuditReport }> {
    const { code, stdout, stderr } = await viewmill(["audit", "--data", this.folder, "--json", ...flags]);
    if (stderr !== "" || stdout === "") throw new Error(`viewmill audit: exit ${code}: ${stderr}`);
    return { code, report: JSON.parse(stdout) as AuditReport };
  }
}

export interface Body {
  headers: Record<string, string>;
  bytes: string | Uint8Array<ArrayBuffer>;
}

interface Accepted {
  accepted: number;
  rejected: { index: number; eventId: string | null; reason: string }[];
}

export interface Video {
  totals: Record<string, { count: number; sum: number; lastEventAt: string }>;
  completeThrough: string;
}

interface Books {
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
  balanced: boolean;
}

interface Ledger {
  minutes: ({ start: string } & Books)[];
  totals: Books & { rejected: number };
}

export interface AuditReport {
  id: string;
  outcome: "equal" | "repaired" | "differences" | "not-comparable";
  objectsRead: number;
  events: number;
  distinctEvents: number;
  cellsDiffering: number;
  cellsRepaired: number;
  reusedEventIds: number;
  notComparable: { minute: string; reason: string }[];
  differences: {
    level: "minute" | "hour" | "day" | "total";
    videoId: string;
    eventType: string;
    start: string;
    archiveCount: number;
    storedCount: number;
    archiveSum: string;
    archiveValued?: number;
    storedValued?: number;
    storedSum: string;
  }[];
}

/** Whether a process runs; one that ended and was not yet waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !existsSync(`/proc/${pid}/stat`) || !/^\d+ \(.*\) Z/.test(readStat(pid));
}

function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return `${pid} () Z`;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
