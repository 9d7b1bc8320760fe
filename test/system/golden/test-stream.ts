// SPDX-License-Identifier: Apache-2.0
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PTransform as PTransformProto, TestStreamPayload_Event } from "apache-beam/proto/beam_runner_api";
import { type PCollection, type Root, withName } from "../../../engine";
import { sdk } from "../../../engine/fixes/sdk";

export type TestStreamEvent =
  | { kind: "element"; value: Uint8Array; timestampMs: number }
  /** The watermark of the source; Infinity: nothing comes any more. */
  | { kind: "watermark"; ms: number };

/** Beam's last timestamp: what counts as infinity. */
const MAX_TIMESTAMP_MS = 9_223_372_036_854_775n;

/**
 * Beam's source for tests: these elements, and between them these watermarks, one after the other, each when the graph
 * has done what it could.
 */
export function testStream(root: Root, name: string, events: readonly TestStreamEvent[]): PCollection<Uint8Array> {
  const { FunctionSpec, IsBounded_Enum, TestStreamPayload } = sdk.runnerApi;
  const source = (_root: Root, pipeline: Pipeline, transform: PTransformProto): PCollection<Uint8Array> => {
    const coder = new sdk.requiredCoders.BytesCoder();
    const coderId = pipeline.context.getCoderId(coder);
    const payload = TestStreamPayload.create({ coderId, events: events.map(encoded) });
    transform.spec = FunctionSpec.create({ urn: TEST_STREAM, payload: TestStreamPayload.toBinary(payload) });
    transform.environmentId = "";
    return pipeline.createPCollectionInternal(coder, undefined, IsBounded_Enum.UNBOUNDED);
  };
  return root.apply(withName(name, source));
}

const TEST_STREAM = "beam:transform:teststream:v1";

function encoded(event: TestStreamEvent): TestStreamPayload_Event {
  if (event.kind === "element") {
    const { value: encodedElement, timestampMs } = event;
    const elements = [{ encodedElement, timestamp: BigInt(timestampMs) }];
    return { event: { oneofKind: "elementEvent", elementEvent: { tag: "", elements } } };
  }
  const newWatermark = event.ms === Number.POSITIVE_INFINITY ? MAX_TIMESTAMP_MS : BigInt(event.ms);
  return { event: { oneofKind: "watermarkEvent", watermarkEvent: { tag: "", newWatermark } } };
}
