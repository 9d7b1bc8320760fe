// SPDX-License-Identifier: Apache-2.0
/**
 * engine/dataflow/: graphs as jobs of Google Cloud Dataflow. This index is separate from engine/index.ts, so that only
 * submitting processes load it.
 */
export type { AccessToken } from "./credentials";
export { DataflowError } from "./dataflow-error";
export { DataflowJob, DataflowRunner, type DataflowRunnerOptions } from "./dataflow-runner";
export { GoogleRest, type GoogleRestOptions, type Json } from "./google-rest";
export { type DataflowSubmission, gcsFolder, type PreparedJob, prepareJob } from "./job";
export {
  type DataflowJobRequest,
  type DataflowJobState,
  type DataflowJobSummary,
  type DataflowMessage,
  isFinalDataflowState,
} from "./job-types";
export { DataflowJobs, REQUEST_LABEL } from "./jobs-rest";
export { PUBSUB_READ, type ReadFromPubSubNatively, readFromPubSubNatively } from "./read-pubsub";
