// SPDX-License-Identifier: Apache-2.0
import type { PTransform as TransformProto } from "apache-beam/proto/beam_runner_api";
import type { IOperator, OperatorContext } from "apache-beam/worker/operators";
import type { AwaitableDoFn, AwaitableParDoPayload } from "./awaitable-dofn";
import { AwaitableParDoOperator } from "./awaitable-pardo-operator";
import type { PCollection, PTransform } from "./beam";
import { withName } from "./beam";
import { replaceOperator, sdk } from "./fixes/sdk";
import { register } from "./serialization";

const pardoUrn = "beam:transform:pardo:v1";
const awaitableDoFnUrn = "engine:dofn:awaitable:v1";

/**
 * A ParDo that awaits its DoFn; the SDK awaits neither process, startBundle nor finishBundle. At most `maxInFlight`
 * elements are processed at once, and beyond that the source waits (backpressure). A bundle finishes after all of its
 * elements, and then finishBundle. A rejection fails the bundle, with the stage's name. Replay: a failed or retried
 * bundle processes its elements again, so the writes of process() must be idempotent.
 */
export function awaitableParDo<In, Out>(
  name: string,
  doFn: AwaitableDoFn<In, Out>,
  { maxInFlight }: { maxInFlight: number },
): PTransform<PCollection<In>, PCollection<Out>> {
  if (!Number.isSafeInteger(maxInFlight) || maxInFlight < 1) {
    throw new RangeError(`maxInFlight of "${name}" must be a positive integer, not ${maxInFlight}`);
  }
  const { ParDoPayload } = sdk.runnerApi;
  const expand = (_input: PCollection<In>, pipeline: Pipeline, proto: TransformProto): PCollection<Out> => {
    const payload = sdk.serialize.serializeFn({ doFn, maxInFlight });
    const spec = ParDoPayload.create({ doFn: { urn: awaitableDoFnUrn, payload } });
    proto.spec = { urn: pardoUrn, payload: ParDoPayload.toBinary(spec) };
    return pipeline.createPCollectionInternal(new sdk.jsCoders.GeneralObjectCoder<Out>());
  };
  return withName(name, expand);
}

type Pipeline = import("apache-beam/internal/pipeline").Pipeline;

/**
 * A doFn URN of this package travels inside the SDK's ParDo URN, because ParDo is the only transform that every runner
 * gives to the worker.
 */
function createOperator(id: string, transform: TransformProto, context: OperatorContext): IOperator | undefined {
  const { doFn } = sdk.runnerApi.ParDoPayload.fromBinary(transform.spec?.payload ?? new Uint8Array());
  if (doFn?.urn !== awaitableDoFnUrn) return undefined;
  const payload = sdk.serialize.deserializeFn(doFn.payload) as AwaitableParDoPayload;
  const [output] = Object.values(transform.outputs);
  if (output === undefined) throw new Error(`stage "${transform.uniqueName}" has no output`);
  return new AwaitableParDoOperator(id, transform.uniqueName, context.getReceiver(output), payload);
}

replaceOperator(pardoUrn, (previous) => (id, transform, context) => {
  return createOperator(id, transform, context) ?? previous(id, transform, context);
});

register(module);
