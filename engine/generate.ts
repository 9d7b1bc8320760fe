// SPDX-License-Identifier: Apache-2.0
/** Sources of a graph that are generators: an application's bounded runs begin with one. */
import { type DoFn, impulse, instant, type PCollection, parDo, type Root, type WindowedValue, withName } from "./beam";
import { windowedValue } from "./bundle-output";
import { resource } from "./resources";
import { register } from "./serialization";

/**
 * A source: a registered class with plain fields and a generator. The graph reads `*generate()` as fast as it takes
 * elements.
 */
export interface Generator<T> {
  generate(): Iterable<T>;
}

/**
 * Returns a bounded source with linear time and constant memory. Defect 13: `create([...])` serialises its elements
 * into the graph with a linear search per element (100k elements: 49 s), and its reshuffle loses all elements under
 * windowing on a cluster. Every element has the timestamp of the impulse, the beginning of time: assign timestamps
 * after the source, or use generateWithTimestamps.
 */
export function generate<T>(root: Root, name: string, source: Generator<T>): PCollection<T> {
  return root.apply(withName(`${name}/impulse`, impulse())).apply(withName(name, parDo(new Generate(source))));
}

/** Returns a source as generate does, for a class that yields each value with its event time. */
export function generateWithTimestamps<T>(
  root: Root,
  name: string,
  source: Generator<{ readonly value: T; readonly timestampMs: number }>,
): PCollection<T> {
  const timed = parDo<Uint8Array, T>(new GenerateTimed(source));
  return root.apply(withName(`${name}/impulse`, impulse())).apply(withName(name, timed));
}

/** Elements of this process under a resource name (`provideResource`), for tests and the direct runner. */
export class FromResource<T> implements Generator<T> {
  constructor(readonly resourceName: string) {}

  generate(): Iterable<T> {
    return resource<Iterable<T>>(this.resourceName);
  }
}

export class Generate<T> implements DoFn<Uint8Array, T> {
  constructor(readonly source: Generator<T>) {}

  process(): Iterable<T> {
    return this.source.generate();
  }
}

/**
 * Only finishBundle can give an element a timestamp of its own. A runner that spreads a stage also runs bundles without
 * an element (Flink at parallelism 2 had one of each), so only the bundle that holds the impulse generates.
 */
export class GenerateTimed<T> implements DoFn<Uint8Array, T> {
  impulses = 0;

  constructor(readonly source: Generator<{ readonly value: T; readonly timestampMs: number }>) {}

  startBundle(): void {
    this.impulses = 0;
  }

  process(): void {
    this.impulses += 1;
  }

  *finishBundle(): Iterable<WindowedValue<T>> {
    for (; this.impulses > 0; this.impulses--) {
      for (const { value, timestampMs } of this.source.generate()) yield windowedValue(value, instant(timestampMs));
    }
  }
}

register(module);
