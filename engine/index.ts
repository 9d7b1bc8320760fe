// SPDX-License-Identifier: Apache-2.0
/** engine/: Apache Beam for TypeScript made safe. It knows nothing of videos. */
export type { AwaitableDoFn, ElementContext } from "./awaitable-dofn";
export { awaitableParDo } from "./awaitable-pardo";
export * from "./beam";
export { windowedValue } from "./bundle-output";
export { toBytes } from "./bytes";
export { type DirectResult, runDirect } from "./direct-runner";
export { type ReadFromKafka, type ReadFromPubSub, readFromKafka, readFromPubSub } from "./external-transforms";
export {
  type FlinkCheckpoints,
  FlinkError,
  type FlinkException,
  type FlinkJobDetails,
  type FlinkJobState,
  type FlinkJobSummary,
  FlinkRest,
} from "./flink-rest";
export { FlinkJob, FlinkRunner, type FlinkRunnerOptions, type FlinkSubmission } from "./flink-runner";
export { FromResource, type Generator, generate, generateWithTimestamps } from "./generate";
export { KeptGraph } from "./kept-graph";
export { buildPipelineProto, replaceEnvironments, type WorkerEnvironment } from "./pipeline-proto";
export { provideResource, resource, withdrawResource } from "./resources";
export { registeredModules } from "./serialization";
export { StageError } from "./stage-error";
export { splitByTag, type Tagged } from "./tagged-outputs";
export { unregisteredFunctions } from "./unregistered-functions";
