// SPDX-License-Identifier: Apache-2.0
/** Runs a graph in this process, bundle by bundle. Bounded runs, audits on one machine and tests use it. */
import type { Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import type { PaneInfo, Window, WindowedValue } from "./beam";
import { type DoFn, PCollection, paneInfoParam, parDo, Root, timestampParam, windowParam, withName } from "./beam";
import { sdk } from "./fixes/sdk";
import { provideResource, resource, withdrawResource } from "./resources";
import { register } from "./serialization";
import { unregisteredFunctions } from "./unregistered-functions";

type ElementOf<T> = T extends PCollection<infer Element> ? Element : never;

export interface DirectResult<Outputs> {
  /** The elements of each collection that build returned (`{ name: collection }`), in order. */
  readonly outputs: { readonly [Name in keyof Outputs]: ElementOf<Outputs[Name]>[] };
  /** The same elements with window, timestamp and pane. */
  readonly windowed: { readonly [Name in keyof Outputs]: WindowedValue<ElementOf<Outputs[Name]>>[] };
  /**
   * The number of elements that each stage emitted, by the stage's full name, with ".tag" appended for one of several
   * outputs.
   */
  readonly elementCounts: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

/**
 * Runs a pipeline on the SDK's direct runner: in this process, as one bundle, with bounded sources. A GroupByKey groups
 * all elements in memory; triggers, lateness and accumulation mode have no meaning there. Rejects with StageError
 * (stage name, original error as cause) for any error of user code, and with Error for a graph it cannot run: duplicate
 * stage names, unregistered functions, merging windows.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a build that returns nothing wants no outputs
export async function runDirect<Outputs extends object | undefined | void>(
  build: (root: Root) => Outputs | Promise<Outputs>,
): Promise<DirectResult<Outputs>> {
  const startedAt = performance.now();
  const pipeline = new sdk.pipeline.Pipeline();
  const wanted = Object.entries((await build(new Root(pipeline))) ?? {});
  const collected: Record<string, WindowedValue<unknown>[]> = {};
  const resourceName = `direct-runner/${runs++}`;
  for (const [name, collection] of wanted) {
    if (!(collection instanceof PCollection)) throw new TypeError(`build returned "${name}", which is no PCollection`);
    collected[name] = [];
    const context = { window: windowParam(), timestamp: timestampParam(), pane: paneInfoParam() };
    collection.apply(withName(`collect ${name}`, parDo(new Collect<unknown>(resourceName, name), context)));
  }
  provideResource(resourceName, collected);
  try {
    const elementCounts = await run(pipeline.getProto());
    return {
      outputs: Object.fromEntries(
        Object.entries(collected).map(([name, got]) => [name, got.map((each) => each.value)]),
      ),
      windowed: collected,
      elementCounts,
      elapsedMs: performance.now() - startedAt,
    } as unknown as DirectResult<Outputs>;
  } finally {
    withdrawResource(resourceName);
  }
}

let runs = 0;

async function run(proto: PipelineProto): Promise<Record<string, number>> {
  refuseUnrunnable(proto);
  const result = await sdk.directRunner.directRunner().runPipeline(proto);
  return elementCounts(proto, await result.rawMetrics());
}

/** Throws Error for a graph that cannot run in this process. */
export function refuseUnrunnable(proto: PipelineProto): void {
  const unregistered = unregisteredFunctions(proto);
  if (unregistered.length > 0) {
    throw new Error(`functions of modules that did not call register():\n${unregistered.join("\n")}`);
  }
  const runner = sdk.directRunner.directRunner() as DirectRunner;
  const unsupported = runner.unsupportedFeatures(proto);
  if (unsupported.length > 0) throw new Error(`the direct runner cannot run this graph: ${unsupported.join(", ")}`);
}

/** The SDK types directRunner() as Runner, without the check that its own default runner makes. */
type DirectRunner = ReturnType<typeof sdk.directRunner.directRunner> & {
  unsupportedFeatures(proto: PipelineProto): string[];
};

type Metric = { urn: string; labels: Record<string, string>; payload: Uint8Array };

function elementCounts(proto: PipelineProto, metrics: readonly Metric[]): Record<string, number> {
  const counted = new Map(
    metrics
      .filter((metric) => metric.urn === "beam:metric:element_count:v1")
      .map((metric) => [metric.labels.PCOLLECTION, readCount(metric.payload)]),
  );
  const counts: Record<string, number> = {};
  for (const { uniqueName, outputs, subtransforms } of Object.values(proto.components?.transforms ?? {})) {
    if (subtransforms.length > 0) continue;
    const entries = Object.entries(outputs);
    for (const [tag, id] of entries)
      counts[entries.length > 1 ? `${uniqueName}.${tag}` : uniqueName] = counted.get(id) ?? 0;
  }
  return counts;
}

function readCount(payload: Uint8Array): number {
  return sdk.standardCoders.VarIntCoder.INSTANCE.decode(sdk.protobuf.Reader.create(payload));
}

interface ElementContext {
  window: { lookup(): Window };
  timestamp: { lookup(): WindowedValue<unknown>["timestamp"] };
  pane: { lookup(): PaneInfo };
}

export class Collect<T> implements DoFn<T, never, ElementContext> {
  constructor(
    readonly resourceName: string,
    readonly output: string,
  ) {}

  process(value: T, context: ElementContext): void {
    const collected = resource<Record<string, WindowedValue<T>[]>>(this.resourceName);
    collected[this.output]?.push({
      value,
      windows: [context.window.lookup()],
      timestamp: context.timestamp.lookup(),
      pane: context.pane.lookup(),
    });
  }
}

register(module);
