// SPDX-License-Identifier: Apache-2.0
/**
 * The used part of google.dataflow.v1beta3, by its JSON names. job.ts fills these types, and jobs-rest.ts reads them
 * from answers.
 */
import type { Json } from "./google-rest";

export type DataflowJobState =
  | "JOB_STATE_UNKNOWN"
  | "JOB_STATE_STOPPED"
  | "JOB_STATE_QUEUED"
  | "JOB_STATE_PENDING"
  | "JOB_STATE_RUNNING"
  | "JOB_STATE_PAUSING"
  | "JOB_STATE_PAUSED"
  | "JOB_STATE_DRAINING"
  | "JOB_STATE_CANCELLING"
  | "JOB_STATE_RESOURCE_CLEANING_UP"
  | "JOB_STATE_DONE"
  | "JOB_STATE_FAILED"
  | "JOB_STATE_CANCELLED"
  | "JOB_STATE_UPDATED"
  | "JOB_STATE_DRAINED";

const FINAL: ReadonlySet<DataflowJobState> = new Set([
  "JOB_STATE_DONE",
  "JOB_STATE_FAILED",
  "JOB_STATE_CANCELLED",
  "JOB_STATE_UPDATED",
  "JOB_STATE_DRAINED",
]);

export const isFinalDataflowState = (state: DataflowJobState): boolean => FINAL.has(state);

export interface SdkHarnessContainerImage {
  readonly containerImage: string;
  readonly environmentId: string;
  readonly capabilities: readonly string[];
  readonly useSingleCorePerContainer: boolean;
}

export interface DataflowWorkerPool {
  readonly kind: "harness";
  readonly autoscalingSettings: { readonly algorithm: string; readonly maxNumWorkers?: number };
  readonly numWorkers?: number;
  readonly machineType?: string;
  readonly diskSizeGb?: number;
  readonly network?: string;
  readonly subnetwork?: string;
  readonly ipConfiguration: "WORKER_IP_PUBLIC" | "WORKER_IP_PRIVATE";
  readonly dataDisks?: readonly Json[];
  readonly workerHarnessContainerImage?: string;
  readonly sdkHarnessContainerImages: readonly SdkHarnessContainerImage[];
}

interface DataflowEnvironment {
  readonly tempStoragePrefix: string;
  readonly clusterManagerApiService: string;
  readonly dataset: string;
  readonly experiments: readonly string[];
  readonly serviceOptions?: readonly string[];
  readonly serviceKmsKeyName?: string;
  readonly serviceAccountEmail?: string;
  readonly userAgent: { readonly name: string; readonly version: string };
  readonly version: { readonly job_type: string; readonly major: string };
  readonly sdkPipelineOptions: { readonly options: Json; readonly display_data: readonly Json[] };
  readonly workerPools: readonly DataflowWorkerPool[];
}

/** The body of the request that creates a job. */
export interface DataflowJobRequest {
  readonly name: string;
  readonly type: "JOB_TYPE_STREAMING" | "JOB_TYPE_BATCH";
  /** The same for every attempt to create one job. */
  readonly clientRequestId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly replaceJobId?: string;
  readonly transformNameMapping?: Readonly<Record<string, string>>;
  readonly environment: DataflowEnvironment;
}

/** The description of a job by Dataflow. */
export interface DataflowJobSummary {
  readonly jobId: string;
  readonly name: string;
  readonly type: string;
  readonly state: DataflowJobState;
  readonly createdAt: string | undefined;
  readonly stateSince: string | undefined;
  readonly replacedByJobId: string | undefined;
  readonly clientRequestId: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface DataflowMessage {
  readonly at: string;
  readonly importance: string;
  readonly text: string;
}
