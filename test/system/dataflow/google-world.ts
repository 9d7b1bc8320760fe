// SPDX-License-Identifier: Apache-2.0
/** The content of the project that the fake serves: everything a job needs, unless a test removes it. */

export interface ImageLabels {
  readonly labels: Readonly<Record<string, string>> | null;
  readonly architecture?: string;
  /** Behind a list of platforms, as buildx pushes it. */
  readonly indexed?: boolean;
}

export interface GoogleWorld {
  readonly project: string;
  readonly regions: Set<string>;
  readonly apis: Set<string>;
  /** The permissions of the caller on the project. */
  readonly permissions: Set<string>;
  /** Name to the caller's permissions. */
  readonly buckets: Map<string, Set<string>>;
  /** Email to the caller's permissions. */
  readonly serviceAccounts: Map<string, Set<string>>;
  /** `HOST/PROJECT/REPOSITORY/NAME:TAG` */
  readonly images: Map<string, ImageLabels>;
  /** Maps full names to Pub/Sub's descriptions. */
  readonly subscriptions: Map<string, Record<string, unknown>>;
  /** Full names of instances and tables. */
  readonly bigtable: Set<string>;
  /** Whether a metadata server gives tokens. */
  hasCredentials: boolean;
}

export const PROJECT = "golden-project";
export const REGION = "europe-west1";
export const IMAGE = "europe-docker.pkg.dev/golden-project/viewmill/worker:0.1.0";
export const SERVICE_ACCOUNT = "viewmill-worker@golden-project.iam.gserviceaccount.com";
export const SUBSCRIPTION = `projects/${PROJECT}/subscriptions/viewmill-stream`;
export const INSTANCE = `projects/${PROJECT}/instances/viewmill`;
export const STAGING_BUCKET = "golden-staging";
export const DATA_BUCKET = "golden-data";

const OBJECTS = ["storage.objects.create", "storage.objects.get", "storage.objects.list"];

export function wholeWorld(): GoogleWorld {
  const tables = ["minutes", "summaries", "ledger"].map((role) => `${INSTANCE}/tables/viewmill-${role}`);
  return {
    project: PROJECT,
    regions: new Set([REGION]),
    apis: new Set(
      [
        ...["dataflow", "compute", "storage", "artifactregistry", "bigtableadmin", "bigtable", "logging"],
        ...["cloudresourcemanager", "iam", "pubsub"],
      ].map((name) => `${name}.googleapis.com`),
    ),
    permissions: new Set([
      ...["dataflow.jobs.create", "dataflow.jobs.get", "dataflow.jobs.list", "dataflow.jobs.updateContents"],
      "dataflow.messages.list",
    ]),
    buckets: new Map([
      [STAGING_BUCKET, new Set(OBJECTS)],
      [DATA_BUCKET, new Set(OBJECTS)],
    ]),
    serviceAccounts: new Map([[SERVICE_ACCOUNT, new Set(["iam.serviceAccounts.actAs"])]]),
    images: new Map([[IMAGE, { labels: ourLabels() }]]),
    subscriptions: new Map([
      [SUBSCRIPTION, { name: SUBSCRIPTION, topic: `projects/${PROJECT}/topics/viewmill-events` }],
    ]),
    bigtable: new Set([INSTANCE, ...tables]),
    hasCredentials: true,
  };
}

export const ourLabels = (version = "0.1.0"): Record<string, string> => ({
  "org.opencontainers.image.title": "viewmill-worker",
  "org.opencontainers.image.version": version,
});
