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

/**
 * Boots a worker by Beam's container contract: `--id` and `--provision_endpoint`, or `--control_endpoint` where the runner has no provisioning service;
 * other flags are ignored. The modules of the graph come with its pipeline options, and so do
 * settings, of which those in `settingsJson` win one by one. Resolves when the worker has ended in order; rejects on any error.
 */
export async function boot(args: readonly string[], settingsJson: string | undefined): Promise<void> {
  const flags = parseFlags(args);
  const workerId = flags.get("id");
  if (!workerId) throw new Error("--id is missing");
  const log = workerLog({ workerId });
  routeConsole(log);
  const { controlEndpoint, modules, optionsJson } = await provision(workerId, flags);
  const settings: BootSettings = { ...bootSettings(optionsJson), ...bootSettings(settingsJson ?? "{}") };
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
  await runWorker(session, { log, stop: stop.signal });
}

const bootSettings = (json: string): BootSettings => JSON.parse(json) as BootSettings;

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

async function provision(
  workerId: string,
  flags: ReadonlyMap<string, string>,
): Promise<{ controlEndpoint: string; modules: string[]; optionsJson: string }> {
  const endpoint = flags.get("provision_endpoint");
  const given = flags.get("control_endpoint");
  if (!endpoint) {
    if (!given) throw new Error("neither --provision_endpoint nor --control_endpoint is given");
    return { controlEndpoint: address(given), modules: [], optionsJson: "{}" };
  }
  const { info } = await provisionInfo(address(endpoint), workerId);
  const controlEndpoint = info?.controlEndpoint?.url ?? given;
  if (controlEndpoint === undefined) throw new Error("the provisioning service names no control endpoint");
  const options = info?.pipelineOptions === undefined ? {} : asObject(sdk.struct.Struct.toJson(info.pipelineOptions));
  const modules = (bootOptionValue(options, modulesOption) ?? []) as string[];
  const optionsJson = String(bootOptionValue(options, bootOption) ?? "{}");
  return { controlEndpoint: address(controlEndpoint), modules, optionsJson };
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
