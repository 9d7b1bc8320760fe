// SPDX-License-Identifier: Apache-2.0
/** The type of a DoFn that may wait, for those who write one (awaitable-pardo.ts runs it). */
import type { Window, WindowedValue } from "./beam";

/** The facts about an element that process() gets beside it. */
export interface ElementContext {
  readonly window: Window;
  readonly timestamp: WindowedValue<unknown>["timestamp"];
  readonly pane: WindowedValue<unknown>["pane"];
}

// biome-ignore lint/suspicious/noConfusingVoidType: a method without a return statement is the common case
type Outputs<T> = void | Iterable<T> | AsyncIterable<T>;

/**
 * A DoFn whose methods may be asynchronous: an async function (which may resolve to outputs) or an async generator.
 * process() runs up to maxInFlight times at once on the same instance, so the caller has to protect state between
 * awaits; startBundle and finishBundle run alone.
 */
export interface AwaitableDoFn<In, Out> {
  startBundle?(): void | Promise<void>;
  process(element: In, context: ElementContext): Outputs<Out> | Promise<Outputs<Out>>;
  finishBundle?(): Outputs<WindowedValue<Out>> | Promise<Outputs<WindowedValue<Out>>>;
}

export interface AwaitableParDoPayload {
  readonly doFn: AwaitableDoFn<unknown, unknown>;
  readonly maxInFlight: number;
}
