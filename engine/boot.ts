// SPDX-License-Identifier: Apache-2.0
/**
 * The start of a worker process that a runner starts itself, as Dataflow does in a container. An application's entry
 * point calls `boot`.
 */
import * as grpc from "@grpc/grpc-js";
import type { GetProvisionInfoResponse } from "apache-beam/proto/beam_provision_api";
import { bootOption, bootOptionValue, modulesOption } from "./boot-options";
import "./fixes/load";
import { sdk } from "./fixes/sdk";
import { unaryCall } from "./grpc-call";
import { runSiblings } from "./sibling-workers";
import { routeConsole, workerLog } from "./worker-log";
import { runWorker, type WorkerSettings } from "./worker-session";

/** Settings beside the contract's flags, set by the PROCESS environment (or a container) as JSON in one variable. */
export interface BootSettings {
  readonly workerModule?: string;
  readonly workerSettings?: string;
  readonly stopGraceMs?: number;
  readonly keepaliveMs?: number;
  readonly maxBundleMs?: number;
}

/** The variable that holds BootSettings. */
export const bootVariable = "BEAM_WORKER_SETTINGS";

/** The largest number of siblings, above the number of cores of any machine on which a runner starts containers. */
const maxSiblings = 512;

/**
 * Boots a worker by Beam's container contract: `--id` and `--provision_endpoint`, or `--control_endpoint` where the
 * runner has no provisioning service; other flags are ignored. The graph's modules and further settings are in its
 * pipeline options. Each setting in `settingsJson` takes precedence over the same setting there. Boot starts the
 * sibling workers that the options name, too. Resolves when every worker has ended in order. Rejects on any error of
 * any worker; the runner replaces the whole container then.
 */
export async function boot(args: readonly string[], settingsJson: string | undefined): Promise<void> {
  const flags = parseFlags(args);
  const workerId = flags.get("id");
  if (!workerId) throw new Error("--id is missing");
  const log = workerLog({ workerId });
  routeConsole(log);
  const { controlEndpoint, modules, optionsJson, siblingIds } = await provision(workerId, flags);
  const settings: BootSettings = { ...bootSettings(optionsJson), ...bootSettings(settingsJson ?? "{}") };
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  const stopGraceMs = settings.stopGraceMs ?? 5_000;
  const session: WorkerSettings = {
    workerId,
    controlEndpoint,
    modules,
    workerModule: settings.workerModule,
    workerSettings: settings.workerSettings,
    stopGraceMs,
    connectTimeoutMs: 30_000,
    keepaliveMs: settings.keepaliveMs ?? 30_000,
    maxBundleMs: settings.maxBundleMs ?? 600_000,
  };
  const siblings = siblingIds.map((id) => ({ ...session, workerId: id }));
  await Promise.all([
    runWorker(session, { log, stop: stop.signal }),
    runSiblings(siblings, { log, stop: stop.signal, killAfterMs: stopGraceMs + 5_000 }),
  ]);
}

const bootSettings = (json: string): BootSettings => JSON.parse(json) as BootSettings;

/** Parses `--name=value` and `--name value`. Prism quotes its values. */
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

interface Provision {
  readonly controlEndpoint: string;
  readonly modules: readonly string[];
  readonly optionsJson: string;
  readonly siblingIds: readonly string[];
}

async function provision(workerId: string, flags: ReadonlyMap<string, string>): Promise<Provision> {
  const endpoint = flags.get("provision_endpoint");
  const given = flags.get("control_endpoint");
  if (!endpoint) {
    if (!given) throw new Error("neither --provision_endpoint nor --control_endpoint is given");
    return { controlEndpoint: address(given), modules: [], optionsJson: "{}", siblingIds: [] };
  }
  const { info } = await provisionInfo(address(endpoint), workerId);
  const controlEndpoint = info?.controlEndpoint?.url ?? given;
  if (controlEndpoint === undefined) throw new Error("the provisioning service names no control endpoint");
  const options = info?.pipelineOptions === undefined ? {} : asObject(sdk.struct.Struct.toJson(info.pipelineOptions));
  const modules = (bootOptionValue(options, modulesOption) ?? []) as string[];
  const optionsJson = String(bootOptionValue(options, bootOption) ?? "{}");
  const siblingIds = distinctSiblings(workerId, info?.siblingWorkerIds ?? []);
  return { controlEndpoint: address(controlEndpoint), modules, optionsJson, siblingIds };
}

/** Returns the sibling ids. A repeated id, or this worker's own, would make two processes answer as one worker. */
function distinctSiblings(workerId: string, ids: readonly string[]): string[] {
  const distinct = [...new Set(ids)].filter((id) => id !== workerId);
  if (distinct.length > maxSiblings) {
    throw new Error(`${distinct.length} sibling workers are asked for, more than ${maxSiblings}`);
  }
  return distinct;
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
