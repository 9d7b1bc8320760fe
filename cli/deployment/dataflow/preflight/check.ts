// SPDX-License-Identifier: Apache-2.0
/** The form of one check of a preflight, which every file of this folder has. run-preflight.ts runs the checks. */
import type { DataflowError } from "../../../../engine/dataflow/dataflow-error";
import type { GoogleRest } from "../../../../engine/dataflow/google-rest";
import type { DataflowJobs } from "../../../../engine/dataflow/jobs-rest";

/** One missing item: a sentence, and the command that is the remedy. */
export interface Missing {
  readonly what: string;
  readonly remedy: string;
}

interface WantedImage {
  /** `HOST/PROJECT/REPOSITORY/NAME:TAG` or `@sha256:...` */
  readonly reference: string;
  /** The required labels: `org.opencontainers.image.title` and `.version`. */
  readonly title: string;
  readonly version: string;
  /** The command that builds and pushes the image. */
  readonly remedy: string;
}

interface WantedBucket {
  readonly name: string;
  /** The permissions of the caller; none where only workers use the bucket. */
  readonly permissions: readonly string[];
}

interface WantedSubscription {
  /** `projects/P/subscriptions/S` */
  readonly name: string;
  /** The command that creates the subscription. */
  readonly remedy: string;
  /** How long acknowledged messages must be kept, because the job reads them again; 0: not at all. */
  readonly keptSeconds: number;
}

interface WantedTables {
  /** `projects/P/instances/I` */
  readonly instance: string;
  /** `projects/P/instances/I/tables/T` */
  readonly names: readonly string[];
  /** The command that creates the tables. */
  readonly remedy: string;
}

/** The needs of a job before it is created. */
export interface Preflight {
  readonly project: string;
  readonly region: string;
  readonly jobName: string;
  /** Whether the job replaces one of its name. Otherwise no running job may have the name. */
  readonly replaces: boolean;
  /** `dataflow.googleapis.com` */
  readonly apis: readonly string[];
  readonly buckets: readonly WantedBucket[];
  readonly image: WantedImage;
  readonly subscriptions: readonly WantedSubscription[];
  readonly tables: readonly WantedTables[];
  /** The permissions of the caller on the project. */
  readonly permissions: readonly string[];
  /** The account as which the caller must be allowed to run the job. */
  readonly serviceAccount: string | undefined;
  /** The command line of this program, for remedies. */
  readonly program: string;
}

export interface CheckContext {
  readonly rest: GoogleRest;
  readonly jobs: DataflowJobs;
  readonly wanted: Preflight;
}

/** Resolves with the missing items; an empty list when nothing is missing. Rejects with DataflowError. */
export type Check = (context: CheckContext) => Promise<Missing[]>;

export const isKind = (error: unknown, kind: DataflowError["kind"]): boolean =>
  (error as { name?: unknown }).name === "DataflowError" && (error as DataflowError).kind === kind;
