// SPDX-License-Identifier: Apache-2.0
/**
 * Runs a streaming graph in this process, with a watermark and a processing time that only the test moves, as Beam's
 * TestStream does on a Java runner. The graph is the pipeline proto that Flink gets, cut at its GroupByKeys: what lies
 * between two of them runs as one bundle of the SDK's own worker, elements cross a GroupByKey through their coders,
 * and panes fire by the windowing strategies of the proto (trigger-panes.ts).
 */
import type { PTransform } from "apache-beam/proto/beam_runner_api";
import type { IOperator, OperatorContext } from "apache-beam/worker/operators";
import { buildPipelineProto, instant, type PCollection, type WindowedValue } from "../../engine";
import { sdk } from "../../engine/fixes/sdk";
import { testStream } from "../system/golden/test-stream";
import { type Keyed, TriggerPanes } from "./trigger-panes";

const TEST_STREAM = "beam:transform:teststream:v1";
const GROUP_BY_KEY = "beam:transform:group_by_key:v1";
const BUNDLE_INPUT = "test:bundle_input:v1";
const BUNDLE_OUTPUT = "test:bundle_output:v1";

type Element = WindowedValue<unknown>;

/** The input of a bundle, and the receivers of its elements at the GroupByKeys and at the observed stage. */
interface Bundle {
  input: readonly Element[];
  outputs: Map<string, (element: Element) => void>;
}

/** The bundle that runs now: one at a time. */
let running: Bundle | undefined;

interface Stage {
  /** The PCollection that the stage begins with. */
  root: string;
  /** The GroupByKey that emits `root`; absent for the source. */
  panes?: TriggerPanes;
}

export class EventTimeRun {
  private watermarkMs = Number.NEGATIVE_INFINITY;
  private nowMs = 0;
  private bundles = 0;
  private observedElements: Element[] = [];

  private constructor(
    private readonly transforms: Readonly<Record<string, PTransform>>,
    private readonly components: Omit<Parameters<typeof processorOf>[0], "transforms">,
    /** In the order elements travel. */
    private readonly stages: readonly Stage[],
    private readonly observed: string,
  ) {}

  /** `observed`: the full name of the stage whose output `take` returns. */
  static async start(build: (payloads: PCollection<Uint8Array>) => void, observed: string): Promise<EventTimeRun> {
    const proto = await buildPipelineProto((root) => build(testStream(root, "TestStream", [])));
    const { transforms, pcollections, windowingStrategies, coders, environments } = proto.components!;
    const leaves = Object.entries(transforms).filter(([, { subtransforms }]) => subtransforms.length === 0);
    const stages: Stage[] = [];
    // The SDK lists transforms as the graph was built: inputs before what reads them.
    for (const [, { spec, inputs, outputs }] of leaves) {
      if (spec?.urn !== TEST_STREAM && spec?.urn !== GROUP_BY_KEY) continue;
      const [root, input] = [Object.values(outputs)[0]!, Object.values(inputs)[0]];
      if (input === undefined) stages.push({ root });
      else
        stages.push({ root, panes: new TriggerPanes(windowingStrategies[pcollections[input]!.windowingStrategyId]!) });
    }
    const observedId = leaves.find(([, { uniqueName }]) => uniqueName === observed)?.[0];
    if (observedId === undefined) throw new Error(`no stage "${observed}", but ${leaves.map(([, t]) => t.uniqueName)}`);
    const components = { pcollections, windowingStrategies, coders, environments };
    return new EventTimeRun(Object.fromEntries(leaves), components, stages, observedId);
  }

  /** The source emits these elements, in one bundle. */
  async addElements(...elements: { value: Uint8Array; timestampMs: number }[]): Promise<void> {
    const windows = [new sdk.values.GlobalWindow()];
    const pane = sdk.requiredCoders.PaneInfoCoder.ONE_AND_ONLY_FIRING;
    const input = elements.map(({ value, timestampMs }) => ({ value, timestamp: instant(timestampMs), windows, pane }));
    await this.runBundle(this.stages[0]!.root, input);
    await this.fire();
  }

  /** Infinity: the source has ended. */
  async advanceWatermarkTo(ms: number): Promise<void> {
    if (ms < this.watermarkMs) throw new RangeError("a watermark never goes back");
    this.watermarkMs = ms;
    await this.fire();
  }

  async advanceProcessingTime(ms: number): Promise<void> {
    this.nowMs += ms;
    await this.fire();
  }

  /** Returns the output of the observed stage since the last call. */
  take(): Element[] {
    const taken = this.observedElements;
    this.observedElements = [];
    return taken;
  }

  /** Elements that the GroupByKeys dropped because their window had expired. */
  get droppedDueToLateness(): number {
    return this.stages.reduce((sum, { panes }) => sum + (panes?.dropped ?? 0), 0);
  }

  /** A GroupByKey sees the watermark only when the panes that it made fire above have arrived. */
  private async fire(): Promise<void> {
    for (const { root, panes } of this.stages) {
      if (panes === undefined) continue;
      const fired = [...panes.fire(this.nowMs, this.watermarkMs)];
      if (fired.length > 0) await this.runBundle(root, fired);
    }
  }

  private async runBundle(root: string, input: readonly Element[]): Promise<void> {
    const outputs = new Map<string, (element: Element) => void>();
    const transforms: Record<string, PTransform> = { input: transformOf(BUNDLE_INPUT, {}, { out: root }) };
    for (const [id, transform] of Object.entries(this.transforms)) {
      if (transform.spec?.urn === GROUP_BY_KEY) {
        const { panes } = this.stages.find((stage) => stage.root === Object.values(transform.outputs)[0])!;
        transforms[id] = { ...transform, spec: { urn: BUNDLE_OUTPUT, payload: new Uint8Array(0) } };
        outputs.set(id, (element) => panes!.add(element as WindowedValue<Keyed>, this.nowMs));
      } else if (transform.spec?.urn !== TEST_STREAM) transforms[id] = transform;
    }
    const watched = Object.values(this.transforms[this.observed]!.outputs)[0]!;
    transforms.observed = transformOf(BUNDLE_OUTPUT, { in: watched }, { out: "nowhere" });
    outputs.set("observed", (element) => this.observedElements.push(element));
    const { pcollections } = this.components;
    const components = { ...this.components, pcollections: { ...pcollections, nowhere: pcollections[watched]! } };
    running = { input, outputs };
    try {
      await processorOf({ ...components, transforms }).process(`bundle-${this.bundles++}`);
    } finally {
      running = undefined;
    }
  }
}

function processorOf(components: Omit<OperatorContext["descriptor"], "id" | "timerApiServiceDescriptor">) {
  const none = () => {
    throw new Error("a bundle of this runner has no channels");
  };
  return new sdk.worker.BundleProcessor({ id: "", ...components }, none, none, [BUNDLE_INPUT]);
}

const transformOf = (urn: string, inputs: Record<string, string>, outputs: Record<string, string>): PTransform =>
  sdk.runnerApi.PTransform.create({ uniqueName: urn, spec: { urn, payload: new Uint8Array(0) }, inputs, outputs });

const delimited = "needsDelimiters" as import("apache-beam/coders/coders").Context;
const noBundle = async () => {};

sdk.operators.registerOperatorConstructor(BUNDLE_INPUT, (transformId, transform, context): IOperator => {
  const receiver = context.getReceiver(Object.values(transform.outputs)[0]!);
  const startBundle = async () => {
    for (const element of running!.input) await receiver.receive(element);
  };
  return { transformId, startBundle, process: () => null, finishBundle: noBundle };
});

sdk.operators.registerOperatorConstructor(BUNDLE_OUTPUT, (transformId, transform, context): IOperator => {
  const input = context.descriptor.pcollections[Object.values(transform.inputs)[0]!]!;
  const coder = context.pipelineContext.getCoder(input.coderId);
  const isCoded = transform.uniqueName !== BUNDLE_OUTPUT;
  const process = (element: Element) => {
    running!.outputs.get(transformId)!(isCoded ? { ...element, value: recoded(element.value) } : element);
    return null;
  };
  const recoded = (value: unknown): unknown => {
    const writer = sdk.protobuf.Writer.create();
    coder.encode(value, writer, delimited);
    return coder.decode(sdk.protobuf.Reader.create(writer.finish()), delimited);
  };
  return { transformId, startBundle: noBundle, process, finishBundle: noBundle };
});
