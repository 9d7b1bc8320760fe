// SPDX-License-Identifier: Apache-2.0
/**
 * A server as a process that answers: it can be started, killed, started again on the same ports and data, and stopped.
 * Each server of this folder is one.
 */
import { join } from "node:path";
import type { ClassArchive } from "./class-archive";
import { type KeptProcess, keptFolder, removeKeptFolder, spawnKept } from "./kept";
import { logTail } from "./log-tail";
import { killGroup } from "./process-group";

const START_DEADLINE_MS = 600_000;
const END_DEADLINE_MS = 100_000;
/** A virtual machine that writes its archive of classes as it ends. */
const WRITING_DEADLINE_MS = 45_000;
const POLL_MS = 50;
/** A start that takes longer is asked about less often: the questions cost the starting process time. */
const PAUSE_SHARE = 0.05;
/** Signals after which the process continues, or may. */
const NOT_ENDING: ReadonlySet<NodeJS.Signals> = new Set([
  "SIGSTOP",
  "SIGCONT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGHUP",
  "SIGQUIT",
]);

/** Thrown for a server that did not start; the message ends with the last lines of its log. */
class ServerStartError extends Error {
  override readonly name = "ServerStartError";
  readonly #logTail: string;

  constructor(message: string, logTail: string) {
    super(logTail === "" ? message : `${message}\n${logTail}`);
    this.#logTail = logTail;
  }

  get portTaken(): boolean {
    return PORT_TAKEN.test(this.#logTail);
  }
}

const PORT_TAKEN = /address already in use|EADDRINUSE|BindException|failed to bind|cannot bind/i;

interface ServerProcessSpec {
  name: string;
  command: string;
  /** A function is asked at each start. */
  args: readonly string[] | (() => Promise<readonly string[]>);
  /** Added to the environment of this process. */
  env?: Readonly<Record<string, string>>;
  /** Working folder; the log is `<name>.log` in it. */
  folder: string;
  /** One question in the server's own protocol: resolves to true once it serves; may reject meanwhile. */
  answers(): Promise<boolean>;
  startDeadlineMs?: number;
  /** The class archive of a virtual machine, whose flags must be in the arguments. */
  classes?: ClassArchive;
}

/** The properties of every test server. */
export interface Server {
  readonly name: string;
  /** The folder of all files of the server, logs included; removed by `stop`. */
  readonly folder: string;
  /** The ids of the running processes. */
  readonly pids: readonly number[];
  /** Ends the processes and removes their folder with everything stored in it. May be called again. */
  stop(): Promise<void>;
}

/** One process that can be killed and started again. */
export interface Killable {
  /** undefined while it does not run. */
  readonly pid: number | undefined;
  /**
   * Default SIGKILL. Resolves once the process is gone; at once after a signal that does not end it (SIGSTOP, SIGCONT).
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /**
   * Runs the same command on the same ports and folder; resolves when it answers. A running process is killed first.
   */
  restart(): Promise<void>;
}

export class ServerProcess implements Killable {
  readonly id: string;
  readonly logFile: string;
  readonly #spec: ServerProcessSpec;
  #process: KeptProcess | undefined;

  constructor(spec: ServerProcessSpec) {
    this.#spec = spec;
    this.id = spec.name;
    this.logFile = join(spec.folder, `${spec.name}.log`);
  }

  get pid(): number | undefined {
    return this.#process?.hasEnded() === false ? this.#process.pid : undefined;
  }

  /** Rejects with `ServerStartError`; nothing runs then. */
  async start(): Promise<void> {
    const { name, command, env, folder } = this.#spec;
    const args = typeof this.#spec.args === "function" ? await this.#spec.args() : this.#spec.args;
    const deadlineMs = this.#spec.startDeadlineMs ?? START_DEADLINE_MS;
    const running = await spawnKept(command, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      logFile: this.logFile,
    });
    this.#process = running;
    const startedAt = performance.now();
    const endsAt = startedAt + deadlineMs;
    let last: unknown = "no answer";
    while (
      !(await this.#spec.answers().catch((error: unknown) => {
        last = error;
        return false;
      }))
    ) {
      if (running.hasEnded())
        throw new ServerStartError(`${name} ended: ${await running.ended}`, logTail(this.logFile));
      if (performance.now() > endsAt) {
        await this.kill();
        throw new ServerStartError(
          `${name} was not up within ${deadlineMs} ms (${String(last)})`,
          logTail(this.logFile),
        );
      }
      const pauseMs = POLL_MS + PAUSE_SHARE * (performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    // Another server on the same port may be what answered.
    if (running.hasEnded()) throw new ServerStartError(`${name} ended: ${await running.ended}`, logTail(this.logFile));
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.hasEnded()) return;
    killGroup(running.pid, signal);
    if (NOT_ENDING.has(signal)) return;
    if (!(await endedWithin(running, END_DEADLINE_MS))) {
      throw new Error(`${this.#spec.name} (process ${running.pid}) still runs ${END_DEADLINE_MS} ms after ${signal}`);
    }
  }

  /** For good. */
  async end(): Promise<void> {
    const { classes } = this.#spec;
    const running = this.#process;
    if (classes?.isWriting === true && running !== undefined && !running.hasEnded()) {
      killGroup(running.pid, "SIGTERM");
      if (await endedWithin(running, WRITING_DEADLINE_MS)) classes.keep();
    }
    await this.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }
}

async function endedWithin(running: KeptProcess, deadlineMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  try {
    return await Promise.race([running.ended.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

const START_ATTEMPTS = 3;

/**
 * Runs `start` in a new folder. Another attempt, in another folder and on other ports, follows when another process
 * took a port first. After a failure nothing is left behind.
 */
export async function inNewFolder<T>(
  name: string,
  start: (folder: string, started: ServerProcess[]) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const folder = await keptFolder(name);
    const started: ServerProcess[] = [];
    try {
      return await start(folder, started);
    } catch (error) {
      await endAll(started, folder);
      const again = error instanceof ServerStartError && error.portTaken;
      if (!again || attempt === START_ATTEMPTS) throw error;
    }
  }
}

export async function endAll(processes: readonly ServerProcess[], folder: string): Promise<void> {
  await Promise.all(processes.map((each) => each.end()));
  await removeKeptFolder(folder);
}

/** A server of one process. */
export function serverOf<A extends object>(
  name: string,
  addresses: A,
  process: ServerProcess,
  folder: string,
): A & Server & Killable {
  const server: Server & Killable = {
    name,
    folder,
    get pid() {
      return process.pid;
    },
    get pids() {
      return process.pid === undefined ? [] : [process.pid];
    },
    kill: (signal) => process.kill(signal),
    restart: () => process.restart(),
    stop: () => endAll([process], folder),
  };
  return Object.defineProperties(addresses, Object.getOwnPropertyDescriptors(server)) as A & Server & Killable;
}
