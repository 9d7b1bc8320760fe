// SPDX-License-Identifier: Apache-2.0
/** The flags of commands that submit or manage jobs on Dataflow, and the checks that they fit the configuration. */
import { type Command, InvalidArgumentError } from "commander";
import { refuseFlags } from "../../arguments/inapplicable-flags";
import { positiveInteger } from "../../arguments/whole-number";
import { ConfigError } from "../../config/config-error";
import type { Settings } from "../../config/schema";
import { usesDataFolder } from "../deployment";

/** The flags of a job on Dataflow; undefined: not given. */
export interface DataflowFlags {
  project?: string;
  region?: string;
  tempLocation?: string;
  image?: string;
  serviceAccount?: string;
  network?: string;
  subnetwork?: string;
  publicIps?: boolean;
  machineType?: string;
  numWorkers?: number;
  maxWorkers?: number;
  diskSizeGb?: number;
  kmsKey?: string;
  label?: Record<string, string>;
}

/**
 * The flags, by their names in an action's flags, that have no meaning for another runner. `project` has one, because
 * Pub/Sub and Bigtable are in the project, too.
 */
export const DATAFLOW_ONLY = [
  "region",
  "tempLocation",
  "image",
  "serviceAccount",
  "network",
  "subnetwork",
  "publicIps",
  "machineType",
  "numWorkers",
  "maxWorkers",
  "diskSizeGb",
  "kmsKey",
  "label",
] as const;

/** Throws a ConfigError for `--project` where nothing that it could name is in a project. */
export function refuseProject(command: Command, runner: string, { log, counters }: Settings<"counters" | "log">): void {
  if (runner === "dataflow" || log.kind === "pubsub" || counters.kind === "bigtable") return;
  refuseFlags(command, ["project"], "neither Dataflow nor Pub/Sub nor Bigtable is used, and nothing else is in one");
}

export const locationFlags = (command: Command): Command =>
  command
    .option("--project <id>", "the Google Cloud project (default: project)")
    .option("--region <region>", "dataflow: where the job runs (default: dataflow.region)");

export const dataflowFlags = (command: Command): Command =>
  locationFlags(command)
    .option("--temp-location <gs://bucket/folder>", "dataflow: staged graphs and the job's temporary files")
    .option("--image <image>", "dataflow: of the workers")
    .option("--service-account <email>", "dataflow: what the workers run as")
    .option("--network <name>", "dataflow: of the workers")
    .option("--subnetwork <name>", "dataflow: regions/REGION/subnetworks/NAME")
    .option("--no-public-ips", "dataflow: workers without external addresses")
    .option("--machine-type <type>", "dataflow: of the workers")
    .option("--num-workers <n>", "dataflow: to begin with", positiveInteger)
    .option("--max-workers <n>", "dataflow: at most", positiveInteger)
    .option("--disk-size-gb <n>", "dataflow: of a worker", positiveInteger)
    .option("--kms-key <name>", "dataflow: the key that the job's data is encrypted with")
    .option("--label <key=value>", "dataflow: of the job; may be given again", label);

/**
 * Returns the configuration with the flags applied. `--no-public-ips` can only switch off: commander gives `true` when
 * the flag is absent.
 */
export function withDataflowFlags<Sections extends Settings<"dataflow" | "project">>(
  config: Sections,
  flags: DataflowFlags,
): Sections {
  const { project, publicIps, label: labels, ...given } = flags;
  const names = [
    "region",
    "tempLocation",
    "image",
    "serviceAccount",
    "network",
    "subnetwork",
    "machineType",
    "numWorkers",
    "maxWorkers",
    "diskSizeGb",
    "kmsKey",
  ] as const;
  const said = Object.fromEntries(names.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]));
  const dataflow = { ...config.dataflow, ...said, labels: { ...config.dataflow.labels, ...labels } };
  if (publicIps === false) dataflow.publicIps = false;
  return { ...config, project: project ?? config.project, dataflow };
}

/** Throws a ConfigError that names every setting that a job on Dataflow lacks. */
export function checkDataflow(config: Settings<"dataflow">): void {
  const wanted = { region: "--region", tempLocation: "--temp-location", image: "--image" } as const;
  const missing = (Object.keys(wanted) as (keyof typeof wanted)[])
    .filter((name) => config.dataflow[name] === "")
    .map((name) => `dataflow.${name} or ${wanted[name]}`);
  if (missing.length > 0) throw new ConfigError(`a job on Dataflow needs ${missing.join(", ")}`);
}

/** Refuses stores in a data folder, which workers on other machines cannot reach. */
export function checkStores(config: Settings<"archive" | "claims" | "counters" | "deadLetters" | "log">): void {
  const { archive, counters, deadLetters, claims } = config;
  if (!usesDataFolder({ ...config, log: { ...config.log, kind: "pubsub" } })) return;
  const wanted = [
    archive.kind === "gcs" ? [] : ["archive.kind gcs"],
    counters.kind === "bigtable" ? [] : ["counters.kind bigtable"],
    deadLetters.kind === "gcs" ? [] : ["deadLetters.kind gcs"],
    claims.kind !== "directory" ? [] : ["claims.kind gcs or none"],
  ].flat();
  throw new ConfigError(`workers on Dataflow reach no data folder: set ${wanted.join(", ")}`);
}

/** Requires region and project, for commands about existing jobs. */
export function checkLocation(config: Settings<"dataflow">): void {
  if (config.dataflow.region === "")
    throw new ConfigError("jobs of Dataflow are by region: set dataflow.region or --region");
}

function label(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const [, key, value] = /^([a-z][a-z0-9_-]{0,62})=([a-z0-9_-]{0,63})$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw new InvalidArgumentError("key=value is wanted, of lower-case letters, digits, - and _");
  return { ...before, [key]: value };
}
