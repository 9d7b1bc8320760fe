// SPDX-License-Identifier: Apache-2.0
/** Pub/Sub as the source of a job on Dataflow, for graphs that an application builds. */
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PTransform as PTransformProto } from "apache-beam/proto/beam_runner_api";
import { type PCollection, type Root, withName } from "../beam";
import { sdk } from "../fixes/sdk";

export interface ReadFromPubSubNatively {
  /** `projects/P/subscriptions/S` */
  readonly subscription: string;
  /** The attribute that identifies a message: Dataflow drops repeats by it for ten minutes. */
  readonly idLabel?: string;
}

/**
 * Reads Pub/Sub by Dataflow's own source: payloads, with the time of their publication, and the watermark that the
 * service derives. No other runner has this source. It is a transform without parts that carries Beam's URN of the
 * source, as Beam's SDKs for Python (io/iobase.py, Read.to_runner_api_parameter) and Go (io/pubsubio, Read) build it.
 * Java's source, expanded, has the same URN and payload around parts that Dataflow ignores, and three functions of Java
 * behind it. These would need Java's workers and their jars for nothing but extracting the payload from the message.
 * With use_deprecated_read, which Flink needs, Java's source lacks the URN as well.
 */
export function readFromPubSubNatively(
  root: Root,
  name: string,
  { subscription, idLabel }: ReadFromPubSubNatively,
): PCollection<Uint8Array> {
  const { FunctionSpec, IsBounded_Enum, PubSubReadPayload } = sdk.runnerApi;
  const [, project, short] = /^projects\/([^/]+)\/subscriptions\/([^/]+)$/.exec(subscription) ?? [];
  if (project === undefined) throw new RangeError(`"${subscription}" is no projects/P/subscriptions/S`);
  // The payload's own description (beam_runner_api.proto) requires this form.
  const fullPath = `/subscriptions/${project}/${short}`;
  const payload = PubSubReadPayload.create({
    subscription: fullPath,
    ...(idLabel !== undefined && { idAttribute: idLabel }),
  });
  const read = (_root: Root, pipeline: Pipeline, transform: PTransformProto): PCollection<Uint8Array> => {
    transform.spec = FunctionSpec.create({ urn: PUBSUB_READ, payload: PubSubReadPayload.toBinary(payload) });
    const { UNBOUNDED } = IsBounded_Enum;
    return pipeline.createPCollectionInternal(new sdk.requiredCoders.BytesCoder(), undefined, UNBOUNDED);
  };
  return root.apply(withName(name, read));
}

export const PUBSUB_READ = "beam:transform:pubsub_read:v1";
