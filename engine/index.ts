/** engine/: Apache Beam for TypeScript made safe. It knows nothing of videos. */
export {
  type AwaitableDoFn,
  awaitableParDo,
  type ElementContext,
} from "./awaitable-pardo";
export * from "./beam";
export { windowedValue } from "./bundle-output";
export { toBytes } from "./bytes";
export { type DirectResult, runDirect } from "./direct-runner";
export { FromResource, type Generator, generate, generateWithTimestamps } from "./generate";
export { provideResource, resource, withdrawResource } from "./resources";
export { registeredModules } from "./serialization";
export { StageError } from "./stage-error";
export { splitByTag, type Tagged } from "./tagged-outputs";
export { unregisteredFunctions } from "./unregistered-functions";
