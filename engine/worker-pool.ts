// SPDX-License-Identifier: Apache-2.0
/**
 * The pool of workers for a runner that does not start them itself, as Flink. An application's command runs one on each
 * machine of the cluster.
 */
import { type ChildProcess, fork } from "node:child_process";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { StartWorkerRequest } from "apache-beam/proto/beam_fn_api";
import "./fixes/load";
import { sdk } from "./fixes/sdk";
import type { WorkerLog } from "./worker-log";
import { modulesParameter } from "./worker-parameters";
import { aliveEveryMs } from "./worker-process";
import type { WorkerSettings } from "./worker-session";

export interface WorkerPoolOptions {
  /** The name or address to listen on, under which runners reach the pool. */
  readonly host: string;
  /** The ports of the pool's service and of its HTTP endpoint; 0: any free port. */
  readonly port: number;
  readonly httpPort: number;
  /** The largest number of workers; requests for more are refused. */
  readonly maxWorkers: number;
  /** The application's module (WorkerModule) and the JSON for its start(). */
  readonly workerModule?: string | undefined;
  readonly workerSettings?: string | undefined;
  /** Flags of Node for each worker: `--max-old-space-size=1024`. */
  readonly nodeArgs?: readonly string[];
  /** The time in which a worker must connect. A slower one is killed, and the runner gets an error. Default 30 s. */
  readonly startTimeoutMs?: number;
  /** The time that a stopping worker may take, for its bundles and in all. Default 5 s and 10 s. */
  readonly stopGraceMs?: number;
  readonly killAfterMs?: number;
  /** The interval of pings. Default 30 s; Beam's Java runners refuse an interval below 20 s. */
  readonly keepaliveMs?: number;
  /** The time without a turn of its event loop after which a worker is killed. Default 30 s. */
  readonly unresponsiveMs?: number;
  /** The longest time of a bundle; a worker with a longer one ends itself. Default 10 minutes, 0: no limit. */
  readonly maxBundleMs?: number;
  readonly log: WorkerLog;
}

export interface WorkerPoolStatus {
  readonly state: "serving" | "closing";
  readonly workers: readonly WorkerStatus[];
  readonly maxWorkers: number;
  /**
   * The worker processes started since the pool started, the refusals, and the ends of processes by exit code or
   * signal.
   */
  readonly starts: number;
  readonly refusals: number;
  readonly exits: Readonly<Record<string, number>>;
  /** Processes that ended with an error or a signal that the pool did not send. */
  readonly deaths: number;
  /** The time from StartWorker to the worker's open control channel: of the last worker, and the longest. */
  readonly lastStartMs: number | undefined;
  readonly longestStartMs: number | undefined;
}

interface WorkerStatus {
  readonly workerId: string;
  readonly controlEndpoint: string;
  readonly pid: number | undefined;
  readonly state: WorkerState;
  readonly ageMs: number;
}

type WorkerState = "starting" | "running" | "stopping";

interface PoolWorker {
  readonly workerId: string;
  readonly controlEndpoint: string;
  /** The connection on which the runner asked for the worker. */
  readonly peer: string;
  readonly child: ChildProcess;
  readonly startedAt: number;
  state: WorkerState;
  lastAliveAt: number;
}

type Call<Request> = grpc.ServerUnaryCall<Request, { error: string }>;

const workerProgram = path.join(__dirname, "worker-process.js");

/**
 * The service behind the EXTERNAL environment: one OS process for each StartWorker. The pool restarts no worker,
 * because a runner whose worker died asks again. StartWorker is answered when the worker's control channel is open, or
 * with an error when the process died before. A runner that was told "started" too early would wait for the connection
 * in rounds of two minutes, for ever. A worker that hangs is killed: its sockets close, which a runner notices at once
 * (Flink kept a hanging worker for 140 s, past a checkpoint timeout of 5 s). Workers end with the pool, however it
 * ends.
 */
export class WorkerPool {
  private readonly server = new grpc.Server();
  private readonly httpServer = http.createServer((request, response) => this.serveHttp(request, response));
  private readonly workers = new Set<PoolWorker>();
  private readonly exits: Record<string, number> = {};
  private watch: NodeJS.Timeout | undefined;
  private watchedAt = performance.now();
  private closing = false;
  private starts = 0;
  private refusals = 0;
  private deaths = 0;
  private lastStartMs: number | undefined;
  private longestStartMs: number | undefined;
  /** `host:port`, which the EXTERNAL environment names. */
  address = "";
  /** `http://host:port` of /healthz and /status. */
  httpUrl = "";

  private constructor(private readonly options: WorkerPoolOptions) {}

  /** Resolves when both ports are open; rejects when one is taken. */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(options);
    await pool.listen();
    return pool;
  }

  status(): WorkerPoolStatus {
    const now = performance.now();
    return {
      state: this.closing ? "closing" : "serving",
      workers: [...this.workers].map(({ workerId, controlEndpoint, child, state, startedAt }) => ({
        workerId,
        controlEndpoint,
        pid: child.pid,
        state,
        ageMs: Math.round(now - startedAt),
      })),
      maxWorkers: this.options.maxWorkers,
      starts: this.starts,
      refusals: this.refusals,
      exits: { ...this.exits },
      deaths: this.deaths,
      lastStartMs: this.lastStartMs,
      longestStartMs: this.longestStartMs,
    };
  }

  /** Refuses new workers, stops those that run, and closes the ports. Resolves when no process is left. */
  async close(): Promise<void> {
    this.closing = true;
    clearInterval(this.watch);
    await Promise.all([...this.workers].map((worker) => this.stop(worker)));
    this.server.forceShutdown();
    this.httpServer.closeAllConnections();
    await new Promise<void>((resolve) => this.httpServer.close(() => resolve()));
  }

  private async listen(): Promise<void> {
    const { host, port, httpPort } = this.options;
    this.server.addService(sdk.fnServices.beamFnExternalWorkerPoolDefinition, {
      startWorker: (call: Call<StartWorkerRequest>, reply: grpc.sendUnaryData<{ error: string }>) => {
        this.startWorker(call.request, call.getPeer()).then(
          () => reply(null, { error: "" }),
          (error: Error) => {
            this.refusals += 1;
            this.options.log.warn({ workerId: call.request.workerId, err: error }, "no worker started");
            reply(null, { error: error.message });
          },
        );
      },
      stopWorker: (call: Call<{ workerId: string }>, reply: grpc.sendUnaryData<{ error: string }>) => {
        this.stopWorker(call.request.workerId, call.getPeer());
        reply(null, { error: "" });
      },
    });
    const bound = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      this.server.bindAsync(`${host}:${port}`, credentials, (error, at) => (error ? reject(error) : resolve(at)));
    });
    this.address = `${host}:${bound}`;
    await new Promise<void>((resolve, reject) => {
      this.httpServer.once("error", reject);
      this.httpServer.listen(httpPort, host, resolve);
    }).catch((error: Error) => {
      this.server.forceShutdown();
      throw error;
    });
    this.watch = setInterval(() => this.killUnresponsive(), aliveEveryMs);
    this.httpUrl = `http://${host}:${(this.httpServer.address() as AddressInfo).port}`;
  }

  private async startWorker(request: StartWorkerRequest, peer: string): Promise<void> {
    const { workerId, controlEndpoint, params } = request;
    const { maxWorkers, nodeArgs = [], log, startTimeoutMs = 30_000 } = this.options;
    if (this.closing) throw new Error("the worker pool is shutting down");
    if (controlEndpoint === undefined) throw new Error("the request names no control endpoint");
    const running = [...this.workers].filter((worker) => worker.state !== "stopping").length;
    if (running >= maxWorkers) throw new Error(`the worker pool runs ${running} workers, its bound`);
    const settings = this.settingsOf(workerId, controlEndpoint.url, params);
    const child = fork(workerProgram, [], {
      execArgv: [...nodeArgs],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const startedAt = performance.now();
    const worker: PoolWorker = {
      workerId,
      controlEndpoint: controlEndpoint.url,
      peer,
      child,
      startedAt,
      state: "starting",
      lastAliveAt: startedAt,
    };
    this.workers.add(worker);
    this.starts += 1;
    child.once("exit", (code, signal) => this.ended(worker, code, signal));
    child.on("message", () => {
      worker.lastAliveAt = performance.now();
    });
    child.on("error", (error) => log.error({ workerId, err: error }, "worker process"));
    child.send(settings);
    await connection(child, startTimeoutMs);
    if (worker.state === "starting") worker.state = "running";
    this.lastStartMs = Math.round(performance.now() - startedAt);
    this.longestStartMs = Math.max(this.longestStartMs ?? 0, this.lastStartMs);
    log.info({ workerId, workerPid: child.pid, startMs: this.lastStartMs }, "worker started");
  }

  private settingsOf(workerId: string, controlEndpoint: string, params: Record<string, string>): WorkerSettings {
    const { workerModule, workerSettings, stopGraceMs = 5_000, startTimeoutMs = 30_000 } = this.options;
    const { keepaliveMs, maxBundleMs } = this.options;
    return {
      workerId,
      controlEndpoint,
      modules: params[modulesParameter] === undefined ? [] : (JSON.parse(params[modulesParameter]) as string[]),
      workerModule,
      workerSettings,
      stopGraceMs,
      connectTimeoutMs: startTimeoutMs,
      keepaliveMs: keepaliveMs ?? 30_000,
      maxBundleMs: maxBundleMs ?? 600_000,
    };
  }

  /**
   * Stops a worker. Each TaskManager counts its workers from "1-1", and the request names nothing else, so the worker
   * is found by the connection on which the runner asked for it. A request on another connection is ignored: the runner
   * has closed the control channel before, and its worker ends by that.
   */
  private stopWorker(workerId: string, peer: string): void {
    for (const worker of this.workers) if (worker.workerId === workerId && worker.peer === peer) void this.stop(worker);
  }

  private async stop(worker: PoolWorker): Promise<void> {
    const { child } = worker;
    if (child.exitCode !== null || child.signalCode !== null) return;
    worker.state = "stopping";
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const kill = setTimeout(() => child.kill("SIGKILL"), this.options.killAfterMs ?? 10_000);
    child.kill("SIGTERM");
    await exited;
    clearTimeout(kill);
  }

  private killUnresponsive(): void {
    const now = performance.now();
    // A pool that was suspended has not read the messages that its workers sent meanwhile.
    const asleep = now - this.watchedAt > 3 * aliveEveryMs;
    this.watchedAt = now;
    if (asleep) return;
    for (const { state, lastAliveAt, workerId, child } of this.workers) {
      if (state !== "running" || now - lastAliveAt < (this.options.unresponsiveMs ?? 30_000)) continue;
      this.options.log.error({ workerId, workerPid: child.pid }, "worker does not respond: killed");
      child.kill("SIGKILL");
    }
  }

  private ended(worker: PoolWorker, code: number | null, signal: NodeJS.Signals | null): void {
    this.workers.delete(worker);
    const how = signal ?? String(code);
    this.exits[how] = (this.exits[how] ?? 0) + 1;
    const fields = { workerId: worker.workerId, workerPid: worker.child.pid, exit: how };
    if (code === 0 || worker.state === "stopping") {
      this.options.log.info(fields, "worker ended");
      return;
    }
    this.deaths += 1;
    this.options.log.warn(fields, "worker died");
  }

  private serveHttp({ url }: http.IncomingMessage, response: http.ServerResponse): void {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
    };
    if (url === "/healthz") answer(this.closing ? 503 : 200, { state: this.closing ? "closing" : "serving" });
    else if (url === "/status") answer(200, this.status());
    else answer(404, { error: "there is /healthz and /status" });
  }
}

/** Resolves at the worker's "connected". Rejects when the worker ended before, or took too long (then it is killed). */
function connection(child: ChildProcess, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the worker did not connect within ${timeoutMs} ms`));
    }, timeoutMs);
    child.once("message", () => {
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`the worker ended before it connected (${signal ?? `exit code ${code}`}): see its log`));
    });
  });
}
