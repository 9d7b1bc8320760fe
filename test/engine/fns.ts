// SPDX-License-Identifier: Apache-2.0
import type { AwaitableDoFn, ElementContext } from "../../engine/awaitable-dofn";
import { type DoFn, type KV, register, type Window, type WindowedValue } from "../../engine/beam";
import { windowedValue } from "../../engine/bundle-output";
import { toBytes } from "../../engine/bytes";
import type { Generator } from "../../engine/generate";
import { resource } from "../../engine/resources";

/** Numbers 0 to count-1, each pull reported to the resource "pulled" where there is one. */
export class CountTo implements Generator<number> {
  constructor(
    readonly count: number,
    readonly pulledResource = "",
  ) {}

  *generate(): Iterable<number> {
    const pulled = this.pulledResource ? resource<{ count: number }>(this.pulledResource) : { count: 0 };
    for (let i = 0; i < this.count; i++) {
      pulled.count++;
      yield i;
    }
  }
}

export class Same<T> implements DoFn<T, T> {
  *process(element: T): Iterable<T> {
    yield element;
  }
}

/** Writes what it saw, and the plain fields it arrived with, to a resource. */
export class Witness implements DoFn<unknown, never> {
  constructor(
    readonly resourceName: string,
    readonly settings: { depth: number; names: string[] } = { depth: 0, names: [] },
  ) {}

  process(element: unknown): void {
    resource<unknown[]>(this.resourceName).push({
      element,
      settings: this.settings,
      self: this.constructor === Witness,
    });
  }
}

export class FailOn implements DoFn<number, number> {
  constructor(readonly bad: number) {}

  *process(element: number): Iterable<number> {
    if (element === this.bad) throw new RangeError(`cannot take ${element}`);
    yield element;
  }
}

/** The types would have caught this mistake, and the next two; the run has to. */
export class ReturnsPromise {
  async process(): Promise<number[]> {
    return [1];
  }
}

export class AsyncStart implements DoFn<number, number> {
  async startBundle(): Promise<void> {}

  *process(element: number): Iterable<number> {
    yield element;
  }
}

export class YieldsPromise implements DoFn<number, Promise<number>> {
  *process(element: number): Iterable<Promise<number>> {
    yield Promise.resolve(element);
  }
}

/** Waits at a gate of the test's for each element, and reports how many are inside. */
export interface Gate {
  enter(element: number): Promise<void>;
}

export class ThroughGate implements AwaitableDoFn<number, number> {
  constructor(readonly gateResource: string) {}

  async *process(element: number): AsyncIterable<number> {
    await resource<Gate>(this.gateResource).enter(element);
    yield element;
  }
}

/** Async bundle life: counts what startBundle, process and finishBundle did, in order. */
export class AsyncLife implements AwaitableDoFn<number, number> {
  seen = 0;

  async startBundle(): Promise<void> {
    await turn();
    this.seen = 0;
  }

  async process(): Promise<void> {
    await turn();
    this.seen++;
  }

  async *finishBundle(): AsyncIterable<WindowedValue<number>> {
    await turn();
    yield windowedValue(this.seen, 5);
  }
}

export class RejectOn implements AwaitableDoFn<number, number> {
  constructor(readonly bad: number) {}

  async process(element: number): Promise<Iterable<number>> {
    await turn();
    if (element === this.bad) throw new RangeError(`cannot write ${element}`);
    return [element];
  }
}

export class DescribeWindow implements AwaitableDoFn<KV<string, Iterable<number>>, string> {
  async process(
    { key, value }: KV<string, Iterable<number>>,
    { window, timestamp }: ElementContext,
  ): Promise<string[]> {
    await turn();
    return [`${key} ${[...value].sort().join("+")} ends ${window.maxTimestamp()} at ${timestamp}`];
  }
}

export interface Block {
  n: number;
  bytes: Uint8Array;
}

/** Buffers the whole bundle, emits one block a key and minute when it ends. */
export class PackBlocks implements DoFn<{ key: string; atMs: number }, KV<string, Block>> {
  buffered: { key: string; atMs: number }[] = [];

  startBundle(): void {
    this.buffered = [];
  }

  process(element: { key: string; atMs: number }): void {
    this.buffered.push(element);
  }

  *finishBundle(): Iterable<WindowedValue<KV<string, Block>>> {
    for (const { key, atMs } of this.buffered) {
      yield windowedValue({ key, value: { n: 1, bytes: Uint8Array.of(key.charCodeAt(0), 255) } }, atMs);
    }
  }
}

export class DescribeBlocks implements DoFn<KV<string, Iterable<Block>>, string, { window: { lookup(): Window } }> {
  *process({ key, value }: KV<string, Iterable<Block>>, context: { window: { lookup(): Window } }): Iterable<string> {
    const blocks = [...value];
    const bytes = blocks.map((block) => [...toBytes(block.bytes)].join(",")).join(" ");
    yield `${key} ${blocks.length} [${bytes}] window ends ${context.window.lookup().maxTimestamp()}`;
  }
}

export class Sort implements DoFn<number, { main: number } | { late: string }> {
  *process(element: number): Iterable<{ main: number } | { late: string }> {
    yield element % 2 === 0 ? { main: element } : { late: `late ${element}` };
  }
}

export class WrongTag implements DoFn<number, { main: number }> {
  *process(element: number): Iterable<{ main: number }> {
    yield { other: element } as unknown as { main: number };
  }
}

export class KeyByParity implements DoFn<number, KV<string, number>> {
  *process(element: number): Iterable<KV<string, number>> {
    yield { key: element % 2 === 0 ? "even" : "odd", value: element };
  }
}

/** Adds each element to those that this instance has had, whatever the bundle. */
export class Remembers implements DoFn<number, number> {
  private sum = 0;

  *process(element: number): Iterable<number> {
    this.sum += element;
    yield this.sum;
  }
}

export function plusOne(element: number): number {
  return element + 1;
}

/** A real turn of the event loop, so that work without an await would be overtaken. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

register(module);
