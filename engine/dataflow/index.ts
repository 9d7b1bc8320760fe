/** engine/dataflow/: graphs as jobs of Google Cloud Dataflow. Apart from engine/index.ts, so that only who submits loads it. */
export type { AccessToken } from "./credentials";
export { DataflowError } from "./dataflow-error";
export { DataflowJob, DataflowRunner, type DataflowRunnerOptions } from "./dataflow-runner";
export { GoogleRest, type GoogleRestOptions } from "./google-rest";
export { type DataflowSubmission, gcsFolder, type PreparedJob, prepareJob } from "./job";
export {
  type DataflowJobRequest,
  type DataflowJobState,
  type DataflowJobSummary,
  type DataflowMessage,
  isFinalDataflowState,
} from "./job-types";
export { DataflowJobs, REQUEST_LABEL } from "./jobs-rest";
export type { Missing, Preflight, WantedSubscription, WantedTables } from "./preflight/check";
export { imageLabels } from "./preflight/image-check";
export { runPreflight } from "./preflight/run-preflight";
export { PUBSUB_READ, type ReadFromPubSubNatively, readFromPubSubNatively } from "./read-pubsub";
