// SPDX-License-Identifier: Apache-2.0
import type { DataflowError } from "../../../../engine/dataflow/dataflow-error";
import type { GoogleRest } from "../../../../engine/dataflow/google-rest";
import type { DataflowJobs } from "../../../../engine/dataflow/jobs-rest";

/** One thing that is missing: a sentence, and the command that mends it. */
export interface Missing {
  readonly what: string;
  readonly mend: string;
}

export interface WantedImage {
  /** `HOST/PROJECT/REPOSITORY/NAME:TAG` or `@sha256:...` */
  readonly reference: string;
  /** What its labels must say: `org.opencontainers.image.title` and `.version`. */
  readonly title: string;
  readonly version: string;
  /** The command that builds and pushes it. */
  readonly mend: string;
}

export interface WantedBucket {
  readonly name: string;
  /** Of the caller; none where only workers use it. */
  readonly permissions: readonly string[];
}

export interface WantedSubscription {
  /** `projects/P/subscriptions/S` */
  readonly name: string;
  /** The command that makes it. */
  readonly mend: string;
  /** Messages that were acknowledged must be kept this long, as the job reads them again; 0: need not. */
  readonly keptSeconds: number;
}

export interface WantedTables {
  /** `projects/P/instances/I` */
  readonly instance: string;
  /** `projects/P/instances/I/tables/T` */
  readonly names: readonly string[];
  /** The command that makes them. */
  readonly mend: string;
}

/** What a job needs before it is created. */
export interface Preflight {
  readonly project: string;
  readonly region: string;
  readonly jobName: string;
  /** Whether the job takes the place of one of its name; else there must be none. */
  readonly replaces: boolean;
  /** `dataflow.googleapis.com` */
  readonly apis: readonly string[];
  readonly buckets: readonly WantedBucket[];
  readonly image: WantedImage;
  readonly subscriptions: readonly WantedSubscription[];
  readonly tables: readonly WantedTables[];
  /** Of the caller, on the project. */
  readonly permissions: readonly string[];
  /** The caller must be allowed to let the job run as this one. */
  readonly serviceAccount: string | undefined;
  /** How the commands of this program are called, for those that mend. */
  readonly program: string;
}

export interface CheckContext {
  readonly rest: GoogleRest;
  readonly jobs: DataflowJobs;
  readonly wanted: Preflight;
}

/** What is missing; nothing when all is there. Rejects with DataflowError. */
export type Check = (context: CheckContext) => Promise<Missing[]>;

export const isKind = (error: unknown, kind: DataflowError["kind"]): boolean =>
  (error as { name?: unknown }).name === "DataflowError" && (error as DataflowError).kind === kind;
