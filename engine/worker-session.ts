// SPDX-License-Identifier: Apache-2.0
/**
 * A worker's session with its runner, from the first connection to its end. The process of a pool's worker and a booted
 * container both run one.
 */
import "./fixes/load";
import { isAbsolute } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { Worker } from "apache-beam/worker/worker";
import { fnClientOptions } from "./fixes/message-size";
import { sdk } from "./fixes/sdk";
import { requireModule } from "./module-names";
import type { WorkerLog } from "./worker-log";

/** The settings of a worker process, as plain JSON, because they cross a process boundary. */
export interface WorkerSettings {
  readonly workerId: string;
  /** `host:port` of the runner's control service. */
  readonly controlEndpoint: string;
  /** The modules with the graph's functions (registeredModules()), required before the first bundle. */
  readonly modules: readonly string[];
  /** A module of the application, required first. It may export `start(settings)` and `stop()` (WorkerModule). */
  readonly workerModule?: string | undefined;
  /** The JSON passed to start(). */
  readonly workerSettings?: string | undefined;
  /** How long the bundles under way may take once the worker is asked to stop. */
  readonly stopGraceMs: number;
  readonly connectTimeoutMs: number;
  /**
   * The interval of pings on an idle connection, which detect a runner whose machine vanished. A runner may refuse less
   * than 20 s. 0: no pings.
   */
  readonly keepaliveMs: number;
  /**
   * The longest time of a bundle. A longer one ends the worker, because it awaits something that never happens, and the
   * runner would wait with it. 0: no limit.
   */
  readonly maxBundleMs: number;
}

/**
 * The exports of the application's worker module, which opens and closes the resources (provideResource) of its DoFns.
 */
interface WorkerModule {
  start?(settingsJson: string): Promise<void> | void;
  stop?(): Promise<void> | void;
}

interface WorkerSessionHooks {
  readonly log: WorkerLog;
  /** Called once, when the control channel is open and bundles may arrive. */
  connected?(): void;
  /** Aborted to end the session: bundles under way are finished, then the control channel is closed. */
  readonly stop: AbortSignal;
}

/**
 * The time between the ends of a data channel and of the control channel within which both count as the runner's
 * orderly end.
 */
const servicesCloseMs = 1_000;

/**
 * Serves one runner as one worker, until the runner ends the control channel or `stop` is aborted. Rejects when a
 * module cannot be loaded or started, the runner cannot be reached, or a channel breaks. The process is of no use then,
 * and only its end, which closes its sockets, tells the runner at once.
 */
export async function runWorker(settings: WorkerSettings, { log, connected, stop }: WorkerSessionHooks): Promise<void> {
  const module = loadModules(settings);
  await module.start?.(settings.workerSettings ?? "{}");
  try {
    if (settings.keepaliveMs > 0) fnClientOptions["grpc.keepalive_time_ms"] = settings.keepaliveMs;
    const worker = new sdk.worker.Worker(settings.workerId, { controlUrl: settings.controlEndpoint }, {});
    const broken = whenBroken(worker);
    const ended = worker.wait().catch((error: { code?: number }) => {
      // A Java runner closes the connections of a job in this way when the job is cancelled or restarted.
      if (error.code !== grpc.status.CANCELLED) throw error;
    });
    // A refusing runner is noticed here, and not when the time to connect is over.
    await Promise.race([ready(worker, settings), broken, ended]);
    log.info({ controlEndpoint: settings.controlEndpoint }, "worker connected");
    connected?.();
    await Promise.race([
      ended.then(() => warnOfBundles(worker, log)),
      broken.catch((error) => unlessEnded(error, ended)),
      stopped(worker, stop, settings.stopGraceMs, log),
      overdue(worker, settings.maxBundleMs),
    ]);
  } finally {
    await module.stop?.();
  }
}

function loadModules({ modules, workerModule }: WorkerSettings): WorkerModule {
  const loaded = workerModule === undefined ? {} : (required(workerModule) as WorkerModule);
  for (const name of modules) requireModule(name);
  return loaded;
}

const required = (module: string): unknown => (isAbsolute(module) ? require(module) : requireModule(module));

function ready(worker: Worker, { controlEndpoint, connectTimeoutMs }: WorkerSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.controlClient.waitForReady(Date.now() + connectTimeoutMs, (error) => {
      if (error === undefined) resolve();
      else reject(new Error(`no connection to ${controlEndpoint}: ${error.message}`, { cause: error }));
    });
  });
}

/** Rejects once a bundle is under way for more than `maxBundleMs`, give or take a tenth. */
function overdue(worker: Worker, maxBundleMs: number): Promise<never> {
  if (maxBundleMs === 0) return new Promise(() => undefined);
  const firstSeen = new Map<string, number>();
  return new Promise((_resolve, reject) => {
    const look = () => {
      const now = performance.now();
      for (const id of firstSeen.keys()) if (!worker.activeBundleProcessors.has(id)) firstSeen.delete(id);
      for (const id of worker.activeBundleProcessors.keys()) {
        const since = firstSeen.get(id) ?? now;
        firstSeen.set(id, since);
        if (now - since > maxBundleMs) reject(new Error(`bundle ${id} is not finished after ${maxBundleMs} ms`));
      }
    };
    setInterval(look, Math.max(10, maxBundleMs / 10)).unref();
  });
}

/** Rejects when a data channel breaks. The SDK only prints the failure, and its bundles would wait for ever. */
function whenBroken(worker: Worker): Promise<never> {
  return new Promise((_resolve, reject) => {
    const getDataChannel = worker.getDataChannel.bind(worker);
    const watched = new WeakSet<object>();
    worker.getDataChannel = (endpoint) => {
      const channel = getDataChannel(endpoint);
      if (!watched.has(channel)) {
        watched.add(channel);
        channel.dataChannel.on("error", (error: Error & { code?: number }) => {
          if (error.code !== grpc.status.CANCELLED)
            reject(new Error(`data channel: ${error.message}`, { cause: error }));
        });
      }
      return channel;
    };
  });
}

/**
 * Decides about a broken data channel. A runner that ends a job closes its services one after the other, sometimes the
 * data service first (Flink: "14 UNAVAILABLE: Connection dropped", and milliseconds later the end of the control
 * channel). Resolves in that case; rejects with `error` when the runner is still there.
 */
async function unlessEnded(error: Error, ended: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(error), servicesCloseMs);
  await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

/** Warns of bundles under way. The runner will give them to another worker, or has cancelled the job. */
function warnOfBundles(worker: Worker, log: WorkerLog): void {
  const bundlesCutOff = worker.activeBundleProcessors.size;
  if (bundlesCutOff > 0) log.warn({ bundlesCutOff }, "the runner ended the control channel with bundles under way");
}

async function stopped(worker: Worker, stop: AbortSignal, graceMs: number, log: WorkerLog): Promise<void> {
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });
  const deadline = Date.now() + graceMs;
  while (worker.activeBundleProcessors.size > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  log.info({ bundlesCutOff: worker.activeBundleProcessors.size }, "worker stops");
  worker.stop();
}
