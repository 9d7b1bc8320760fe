import * as grpc from "@grpc/grpc-js";
import type { GetProvisionInfoResponse } from "apache-beam/proto/beam_provision_api";
import { bootOption, bootOptionValue, modulesOption } from "./boot-options";
import "./fixes/load";
import { sdk } from "./fixes/sdk";
import { unaryCall } from "./grpc-call";
import { routeConsole, workerLog } from "./worker-log";
import { runWorker, type WorkerSettings } from "./worker-session";

/** What the PROCESS environment (or a container) sets beside the contract's flags, as JSON in one variable. */
export interface BootSettings {
  readonly workerModule?: string;
  readonly workerSettings?: string;
  readonly stopGraceMs?: number;
  readonly keepaliveMs?: number;
  readonly maxBundleMs?: number;
}

/** The variable that holds BootSettings. */
export const bootVariable = "BEAM_WORKER_SETTINGS";

/** Starts this program once more, with these flags; resolves with its exit status, and ends it when `stop` is aborted. */
export type StartSibling = (args: readonly string[], stop: AbortSignal) => Promise<number>;

/** The flag of a worker that another of its container has started. */
const SIBLING_FLAG = "sibling";

/**
 * Boots a worker by Beam's container contract: `--id` and `--provision_endpoint`, or `--control_endpoint` where the runner has no provisioning service;
 * other flags are ignored. The modules of the graph come with its pipeline options, and so do settings, of which those in `settingsJson` win.
 * Where the runner wants several workers of one container, it names the others (sibling_worker_ids): each is started as a process of its own.
 * Resolves when all have ended in order; rejects on any error of any of them, as a container that is started again has all of them.
 */
export async function boot(
  args: readonly string[],
  settingsJson: string | undefined,
  startSibling: StartSibling,
): Promise<void> {
  const flags = parseFlags(args);
  const workerId = flags.get("id");
  if (!workerId) throw new Error("--id is missing");
  const log = workerLog({ workerId });
  routeConsole(log);
  const given = JSON.parse(settingsJson ?? "{}") as BootSettings;
  const provisioned = await provision(workerId, flags);
  const { controlEndpoint, modules } = provisioned;
  const settings: BootSettings = { ...provisioned.settings, ...given };
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  const session: WorkerSettings = {
    workerId,
    controlEndpoint,
    modules,
    workerModule: settings.workerModule,
    workerSettings: settings.workerSettings,
    stopGraceMs: settings.stopGraceMs ?? 5_000,
    connectTimeoutMs: 30_000,
    keepaliveMs: settings.keepaliveMs ?? 30_000,
    maxBundleMs: settings.maxBundleMs ?? 600_000,
  };
  const siblings = flags.has(SIBLING_FLAG) ? [] : provisioned.siblings.filter((id) => id !== workerId);
  try {
    await Promise.all([
      runWorker(session, { log, stop: stop.signal }),
      ...siblings.map((id) => runSibling(id, flags, startSibling, stop.signal)),
    ]);
  } finally {
    stop.abort();
  }
}

async function runSibling(
  id: string,
  flags: ReadonlyMap<string, string>,
  start: StartSibling,
  stop: AbortSignal,
): Promise<void> {
  const own = [...flags].filter(([name]) => name !== "id").map(([name, value]) => `--${name}=${value}`);
  const status = await start([`--id=${id}`, ...own, `--${SIBLING_FLAG}=true`], stop);
  if (status !== 0 && !stop.aborted) throw new Error(`sibling worker ${id} ended with status ${status}`);
}

/** `--name=value` and `--name value`; Prism quotes its values. */
function parseFlags(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const [, name, joined] = /^--?([a-z_]+)(?:=(.*))?$/s.exec(args[at] ?? "") ?? [];
    if (name === undefined) continue;
    const value = joined ?? args[++at] ?? "";
    flags.set(name, value.replace(/^'(.*)'$/s, "$1"));
  }
  return flags;
}

interface Provisioned {
  readonly controlEndpoint: string;
  readonly modules: string[];
  readonly settings: BootSettings;
  readonly siblings: readonly string[];
}

async function provision(workerId: string, flags: ReadonlyMap<string, string>): Promise<Provisioned> {
  const endpoint = flags.get("provision_endpoint");
  const given = flags.get("control_endpoint");
  if (!endpoint) {
    if (!given) throw new Error("neither --provision_endpoint nor --control_endpoint is given");
    return { controlEndpoint: address(given), modules: [], settings: {}, siblings: [] };
  }
  const { info } = await provisionInfo(address(endpoint), workerId);
  const controlEndpoint = info?.controlEndpoint?.url ?? given;
  if (controlEndpoint === undefined) throw new Error("the provisioning service names no control endpoint");
  const options = info?.pipelineOptions === undefined ? {} : asObject(sdk.struct.Struct.toJson(info.pipelineOptions));
  return {
    controlEndpoint: address(controlEndpoint),
    modules: (bootOptionValue(options, modulesOption) ?? []) as string[],
    settings: JSON.parse(String(bootOptionValue(options, bootOption) ?? "{}")) as BootSettings,
    siblings: info?.siblingWorkerIds ?? [],
  };
}

async function provisionInfo(endpoint: string, workerId: string): Promise<GetProvisionInfoResponse> {
  const client = new sdk.provisionClients.ProvisionServiceClient(endpoint, grpc.ChannelCredentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.add("worker_id", workerId);
  try {
    return await unaryCall(30_000, (options, callback) => client.getProvisionInfo({}, metadata, options, callback));
  } finally {
    client.close();
  }
}

const asObject = (value: unknown): Record<string, unknown> => value as Record<string, unknown>;

const address = (url: string): string => url.replace(/^https?:\/\//, "");
