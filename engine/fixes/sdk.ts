// SPDX-License-Identifier: Apache-2.0
/**
 * The stock SDK's modules, loaded at the first use. Two facts force this file. A deep module of apache-beam must not be
 * loaded before its root, because circular imports leave half-built exports ("Class extends value undefined"). Every
 * fix has to run before the code that it fixes is used. No module outside of engine/ imports this file.
 */
import type { PTransform as TransformProto } from "apache-beam/proto/beam_runner_api";
import type { IOperator, OperatorContext } from "apache-beam/worker/operators";

type Instant = import("apache-beam/values").Instant;

/** The used part of long 4.0. Its own types clash with those of the long 5 that protobufjs brings. */
export interface LongModule {
  fromNumber(value: number): Instant;
  fromString(value: string): Instant;
  isLong(value: unknown): value is Instant;
}

export type OperatorConstructor = (id: string, transform: TransformProto, context: OperatorContext) => IOperator;

/**
 * The loaded modules. Node resolves a path anew at every `require` (it looks for files and reads package.json), and
 * these modules are asked for while elements flow.
 */
const loaded = new Map<string, unknown>();

function once(path: string, load: () => unknown): unknown {
  let found = loaded.get(path);
  if (found === undefined) {
    require("apache-beam");
    found = load();
    loaded.set(path, found);
  }
  return found;
}

/** Requires a deep module of the SDK, its root first (defect 15). */
const deep = (path: string): unknown => once(path, () => require(`apache-beam/${path}`));

/** Requires a dependency of the SDK, which may be missing among ours. */
const dependency = (name: string): unknown =>
  once(name, () => require(require.resolve(name, { paths: [require.resolve("apache-beam")] })));

export const sdk = {
  get artifacts() {
    return deep("runners/artifacts") as typeof import("apache-beam/runners/artifacts");
  },
  get directRunner() {
    return deep("runners/direct_runner") as typeof import("apache-beam/runners/direct_runner");
  },
  get runner() {
    return deep("runners/runner") as typeof import("apache-beam/runners/runner");
  },
  get data() {
    return deep("worker/data") as typeof import("apache-beam/worker/data");
  },
  get logging() {
    return deep("worker/logging") as typeof import("apache-beam/worker/logging");
  },
  get operators() {
    return deep("worker/operators") as typeof import("apache-beam/worker/operators");
  },
  get pardoContext() {
    return deep("worker/pardo_context") as typeof import("apache-beam/worker/pardo_context");
  },
  get worker() {
    return deep("worker/worker") as typeof import("apache-beam/worker/worker");
  },
  get fnClients() {
    return deep("proto/beam_fn_api.grpc-client") as typeof import("apache-beam/proto/beam_fn_api.grpc-client");
  },
  get fnApi() {
    return deep("proto/beam_fn_api") as typeof import("apache-beam/proto/beam_fn_api");
  },
  get runnerApi() {
    return deep("proto/beam_runner_api") as typeof import("apache-beam/proto/beam_runner_api");
  },
  get jsCoders() {
    return deep("coders/js_coders") as typeof import("apache-beam/coders/js_coders");
  },
  get standardCoders() {
    return deep("coders/standard_coders") as typeof import("apache-beam/coders/standard_coders");
  },
  get requiredCoders() {
    return deep("coders/required_coders") as typeof import("apache-beam/coders/required_coders");
  },
  get serialize() {
    return deep("internal/serialize") as typeof import("apache-beam/internal/serialize");
  },
  get urns() {
    return deep("internal/urns") as typeof import("apache-beam/internal/urns");
  },
  get pipeline() {
    return deep("internal/pipeline") as typeof import("apache-beam/internal/pipeline");
  },
  get standardWindowFns() {
    return deep("proto/standard_window_fns") as typeof import("apache-beam/proto/standard_window_fns");
  },
  get serialization() {
    return deep("serialization") as typeof import("apache-beam/serialization");
  },
  get values() {
    return deep("values") as typeof import("apache-beam/values");
  },
  /** The SDK's own copy of long (4.0): the one its coders are typed with. */
  get long() {
    return dependency("long") as LongModule;
  },
  /** The protobufjs that the SDK's coders read and write with (a dependency of the SDK, not of ours). */
  get protobuf() {
    return dependency("protobufjs") as typeof import("protobufjs");
  },
  get fnServices() {
    return deep("proto/beam_fn_api.grpc-server") as typeof import("apache-beam/proto/beam_fn_api.grpc-server");
  },
  get jobApi() {
    return deep("proto/beam_job_api") as typeof import("apache-beam/proto/beam_job_api");
  },
  get jobClients() {
    return deep("proto/beam_job_api.grpc-client") as typeof import("apache-beam/proto/beam_job_api.grpc-client");
  },
  get artifactClients() {
    return deep(
      "proto/beam_artifact_api.grpc-client",
    ) as typeof import("apache-beam/proto/beam_artifact_api.grpc-client");
  },
  get provisionClients() {
    return deep(
      "proto/beam_provision_api.grpc-client",
    ) as typeof import("apache-beam/proto/beam_provision_api.grpc-client");
  },
  get struct() {
    return deep("proto/google/protobuf/struct") as typeof import("apache-beam/proto/google/protobuf/struct");
  },
  get schema() {
    return deep("proto/schema") as typeof import("apache-beam/proto/schema");
  },
  get externalPayload() {
    return deep("proto/external_transforms") as typeof import("apache-beam/proto/external_transforms");
  },
  get external() {
    return deep("transforms/external") as typeof import("apache-beam/transforms/external");
  },
  get environments() {
    return deep("internal/environments") as typeof import("apache-beam/internal/environments");
  },
  get pvalue() {
    return deep("pvalue") as typeof import("apache-beam/pvalue");
  },
};

/**
 * Replaces the constructor of the operators of one URN by one that may call the previous constructor. The SDK exports
 * the setter only; the table itself is reached through the `__closure` that its build attaches to every function for
 * serialisation.
 */
export function replaceOperator(urn: string, replace: (previous: OperatorConstructor) => OperatorConstructor): void {
  const { registerOperatorConstructor } = sdk.operators;
  const closure = (
    registerOperatorConstructor as unknown as { __closure: () => { operatorsByUrn: unknown } }
  ).__closure();
  const previous = (closure.operatorsByUrn as Map<string, OperatorConstructor>).get(urn);
  if (previous === undefined) throw new Error(`the SDK has no operator for ${urn}: not apache-beam 2.49.0?`);
  registerOperatorConstructor(urn, replace(previous));
}
