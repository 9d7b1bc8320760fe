// SPDX-License-Identifier: Apache-2.0
import type { Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import type { BundleProcessor } from "apache-beam/worker/worker";
import { Root } from "./beam";
import { refuseUnrunnable } from "./direct-runner";
import { sdk } from "./fixes/sdk";

const IMPULSE_URN = "beam:transform:impulse:v1";
const PARDO_URN = "beam:transform:pardo:v1";

/**
 * A graph that runs again and again in this process, one run at a time, as runDirect runs it. The graph is built,
 * serialised and checked once, and its operators serve run after run, as those of a worker serve bundle after bundle:
 * building a small graph takes longer than running it over some thousand elements. Its sources read what the caller
 * provides under a resource name for each run (FromResource). A run that fails takes its operators with it, and the
 * next run makes new ones. An application that counts in short runs keeps one; runDirect runs a graph once, and gives
 * its outputs.
 */
export class KeptGraph {
  private proto: PipelineProto | undefined;
  private processor: BundleProcessor | undefined;

  constructor(private readonly build: (root: Root) => void) {}

  /** Rejects as runDirect does, and for a graph with side inputs, whose values the operators would keep. */
  async run(): Promise<void> {
    const processor = this.processor ?? this.newProcessor();
    this.processor = undefined;
    await processor.process("bundle");
    this.processor = processor;
  }

  private newProcessor(): BundleProcessor {
    this.proto ??= this.checked();
    const { transforms, pcollections, windowingStrategies, coders, environments } = this.proto.components!;
    const descriptor = { id: "", transforms, pcollections, windowingStrategies, coders, environments };
    const none = () => {
      throw new Error("a kept graph has no channel of data or state");
    };
    return new sdk.worker.BundleProcessor(descriptor, none, none, [IMPULSE_URN]);
  }

  private checked(): PipelineProto {
    const pipeline = new sdk.pipeline.Pipeline();
    this.build(new Root(pipeline));
    const proto = pipeline.getProto();
    refuseUnrunnable(proto);
    for (const { spec, inputs, uniqueName } of Object.values(proto.components?.transforms ?? {}))
      if (spec?.urn === PARDO_URN && Object.keys(inputs).length > 1)
        throw new Error(`stage "${uniqueName}" has side inputs: run its graph with runDirect`);
    return proto;
  }
}
