// SPDX-License-Identifier: Apache-2.0
import "./fixes/load";
import { isAbsolute } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { Worker } from "apache-beam/worker/worker";
import { fnClientOptions } from "./fixes/message-size";
import { sdk } from "./fixes/sdk";
import { requireModule } from "./module-names";
import type { WorkerLog } from "./worker-log";

/** What a worker process needs to know; plain JSON, as it crosses a process boundary. */
export interface WorkerSettings {
  readonly workerId: string;
  /** `host:port` of the runner's control service. */
  readonly controlEndpoint: string;
  /** Modules that the graph's functions live in (registeredModules()): required before the first bundle. */
  readonly modules: readonly string[];
  /** A module of the application, required first: may export `start(settings)` and `stop()` (WorkerModule). */
  readonly workerModule?: string | undefined;
  /** JSON handed to start(). */
  readonly workerSettings?: string | undefined;
  /** How long the bundles under way may take once the worker is asked to stop. */
  readonly stopGraceMs: number;
  readonly connectTimeoutMs: number;
  /**
   * Pings an idle connection this often, so that a runner whose machine vanished is noticed; a runner may refuse less
   * than 20 s. 0: never.
   */
  readonly keepaliveMs: number;
  /**
   * A bundle that takes longer ends the worker: something it awaits never comes, and the runner would wait with it. 0:
   * never.
   */
  readonly maxBundleMs: number;
}

/** What the application's worker module may export: opens and closes the resources (provideResource) of its DoFns. */
export interface WorkerModule {
  start?(settingsJson: string): Promise<void> | void;
  stop?(): Promise<void> | void;
}

export interface WorkerSessionHooks {
  readonly log: WorkerLog;
  /** Called once, when the control channel is open and bundles may come. */
  connected?(): void;
  /** Aborted to end the session: bundles under way are finished, then the control channel is closed. */
  readonly stop: AbortSignal;
}

/** How long after a data channel the control channel may end for both to be the runner's orderly end. */
const servicesCloseMs = 1_000;

/**
 * Serves one runner as one worker, until the runner ends the control channel or `stop` is aborted. Rejects when a
 * module cannot be loaded or started, the runner cannot be reached, or a channel breaks: the process is of no use then,
 * and only its end (its sockets close) tells the runner at once.
 */
export async function runWorker(settings: WorkerSettings, { log, connected, stop }: WorkerSessionHooks): Promise<void> {
  const module = loadModules(settings);
  await module.start?.(settings.workerSettings ?? "{}");
  try {
    if (settings.keepaliveMs > 0) fnClientOptions["grpc.keepalive_time_ms"] = settings.keepaliveMs;
    const worker = new sdk.worker.Worker(settings.workerId, { controlUrl: settings.controlEndpoint }, {});
    const broken = whenBroken(worker);
    const ended = worker.wait().catch((error: { code?: number }) => {
      // How a Java runner closes the connections of a job that is cancelled or starts again.
      if (error.code !== grpc.status.CANCELLED) throw error;
    });
    // A runner that refuses says so here, not when the time to connect is over.
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

/** The SDK only prints that a data channel broke; its bundles would wait for ever. */
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
 * A runner that ends a job closes its services one after the other, now and then the data service first (Flink: "14
 * UNAVAILABLE: Connection dropped", and milliseconds later the end of the control channel). Resolves when it was that,
 * rejects with `error` when the runner is still there.
 */
async function unlessEnded(error: Error, ended: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(error), servicesCloseMs);
  await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}

/** The runner will give them to another worker, or has no use for them: a cancelled job. */
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
