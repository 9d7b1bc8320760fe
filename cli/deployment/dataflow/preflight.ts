// SPDX-License-Identifier: Apache-2.0
/**
 * The needs of a job in its project before it is created, and the remedy for each missing one. The submission of a
 * stream or an audit to Dataflow calls `checkProject` first.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type DataflowRunner, gcsFolder } from "../../../engine/dataflow";
import { tableNames } from "../../../io/bigtable/config";
import type { Settings } from "../../config/schema";
import { bigtableLocation } from "../open-counters";
import { subscriptionPath } from "../stream-graph";
import type { Missing, Preflight } from "./preflight/check";
import { runPreflight } from "./preflight/run-preflight";

/** Thrown with one line for each missing item. No job was created. */
class PreflightError extends Error {
  override readonly name = "PreflightError";

  constructor(readonly missing: readonly Missing[]) {
    const lines = missing.map(({ what, remedy }) => `  ${what}: ${remedy}`);
    super(`nothing was created; ${missing.length} missing, each with the command that fixes it\n${lines.join("\n")}`);
  }
}

/** The label `org.opencontainers.image.title` of the worker image. */
const WORKER_IMAGE_TITLE = "viewmill-worker";

const { version } = JSON.parse(readFileSync(join(__dirname, "..", "..", "..", "..", "package.json"), "utf8")) as {
  version: string;
};

const APIS = [
  "dataflow.googleapis.com",
  "compute.googleapis.com",
  "storage.googleapis.com",
  "artifactregistry.googleapis.com",
  "bigtableadmin.googleapis.com",
  "bigtable.googleapis.com",
  "logging.googleapis.com",
  "cloudresourcemanager.googleapis.com",
  "iam.googleapis.com",
];
const PERMISSIONS = ["dataflow.jobs.create", "dataflow.jobs.get", "dataflow.jobs.list", "dataflow.messages.list"];

const READING = ["storage.objects.get", "storage.objects.list"];
const STAGING = ["storage.objects.create", ...READING];

export interface WantedOf {
  jobName: string;
  replaces: boolean;
  /** Set where the job reads the stream's subscription, with the time for which acknowledged messages must be kept. */
  reads?: { keptSeconds: number };
}

export async function checkProject(
  runner: DataflowRunner,
  config: Settings<"counters" | "dataflow" | "gcs" | "log" | "project">,
  wanted: WantedOf,
): Promise<void> {
  const missing = await runPreflight(runner, preflightOf(config, wanted));
  if (missing.length > 0) throw new PreflightError(missing);
}

function preflightOf(
  config: Settings<"counters" | "dataflow" | "gcs" | "log" | "project">,
  { jobName, replaces, reads }: WantedOf,
): Preflight {
  const { project, dataflow, gcs, log } = config;
  const { instance, minutes, summaries, ledger } = tableNames(bigtableLocation(config));
  const subscription = subscriptionPath(project, log.pubsub.streamSubscription);
  const [, , , shortName] = subscription.split("/");
  const retention = "--ack-deadline=60 --message-retention-duration=7d --expiration-period=never";
  return {
    project,
    region: dataflow.region,
    jobName,
    replaces,
    program: "viewmill",
    apis: reads === undefined ? APIS : [...APIS, "pubsub.googleapis.com"],
    permissions: replaces ? [...PERMISSIONS, "dataflow.jobs.updateContents"] : PERMISSIONS,
    serviceAccount: dataflow.serviceAccount === "" ? undefined : dataflow.serviceAccount,
    buckets: [
      { name: gcsFolder(dataflow.tempLocation).bucket, permissions: STAGING },
      // An audit reads the archive here as well; a stream reads it on the workers only.
      { name: gcs.bucket, permissions: reads === undefined ? READING : [] },
    ],
    image: {
      reference: dataflow.image,
      title: WORKER_IMAGE_TITLE,
      version,
      remedy: `docker build --file docker/Dockerfile --target worker --tag ${dataflow.image} . && docker push ${dataflow.image}`,
    },
    subscriptions:
      reads === undefined
        ? []
        : [
            {
              name: subscription,
              keptSeconds: reads.keptSeconds,
              remedy: `gcloud pubsub subscriptions create ${shortName} --project=${project} --topic=${log.topic} ${retention}`,
            },
          ],
    tables: [{ instance, names: [minutes, summaries, ledger], remedy: "viewmill bigtable init" }],
  };
}
