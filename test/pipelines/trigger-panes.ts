// SPDX-License-Identifier: Apache-2.0
/**
 * One GroupByKey of a streaming graph as a runner executes it: elements wait in their windows, and the trigger of the
 * windowing strategy says when a window fires a pane. The rules are those of Beam's ReduceFnRunner and
 * PaneInfoTracker; triggers other than those of engine/streaming-windows.ts are refused.
 */
import type { Trigger, WindowingStrategy } from "apache-beam/proto/beam_runner_api";
import type { KV, WindowedValue } from "../../engine";
import { sdk } from "../../engine/fixes/sdk";

export type Keyed = KV<string, unknown>;
export type Pane = WindowedValue<KV<string, unknown[]>>;

interface OpenWindow {
  key: string;
  window: WindowedValue<unknown>["windows"][number];
  /** The first moment of event time after the window. */
  endMs: number;
  elements: unknown[];
  /** Elements added since the last pane. */
  added: number;
  /** Panes fired so far, and those of them that were on time or late. */
  panes: number;
  notEarlyPanes: number;
  /** Whether the watermark has passed the window's end. */
  isPast: boolean;
  /** Processing time at which the elements added fire; Infinity: when the watermark passes the window's end. */
  dueAtMs: number;
}

export class TriggerPanes {
  private readonly windows = new Map<string, OpenWindow>();
  private watermarkMs = Number.NEGATIVE_INFINITY;
  private readonly allowedLatenessMs: number;
  private readonly isAccumulating: boolean;
  private readonly earlyMs: number;
  private readonly lateMs: number;
  /** Elements whose window had expired when they arrived. */
  dropped = 0;

  constructor(strategy: WindowingStrategy) {
    const { AccumulationMode_Enum, ClosingBehavior_Enum, OnTimeBehavior_Enum } = sdk.runnerApi;
    const trigger = strategy.trigger?.trigger;
    if (trigger?.oneofKind !== "afterEndOfWindow") throw new Error(`no such trigger here: ${trigger?.oneofKind}`);
    if (strategy.onTimeBehavior !== OnTimeBehavior_Enum.FIRE_IF_NONEMPTY) throw new Error("on-time panes may be empty");
    if (strategy.closingBehavior !== ClosingBehavior_Enum.EMIT_IF_NONEMPTY) throw new Error("last panes may be empty");
    this.allowedLatenessMs = Number(strategy.allowedLateness);
    this.isAccumulating = strategy.accumulationMode === AccumulationMode_Enum.ACCUMULATING;
    this.earlyMs = delayOf(trigger.afterEndOfWindow.earlyFirings);
    this.lateMs = delayOf(trigger.afterEndOfWindow.lateFirings);
  }

  add({ value, windows }: WindowedValue<Keyed>, nowMs: number): void {
    for (const window of windows) {
      const endMs = Number(window.maxTimestamp()) + 1;
      if (this.hasExpired(endMs)) this.dropped++;
      else this.addTo(window, endMs, value, nowMs);
    }
  }

  private addTo(window: OpenWindow["window"], endMs: number, { key, value }: Keyed, nowMs: number): void {
    const name = `${endMs} ${key}`;
    const open = this.windows.get(name) ?? this.opened(key, window, endMs);
    this.windows.set(name, open);
    open.elements.push(value);
    if (open.added++ > 0) return;
    // The end of a window that was empty until now is long reached: its first pane, a late one, waits for nothing.
    const isFirstAfterEnd = open.isPast && open.panes === 0;
    open.dueAtMs = nowMs + (isFirstAfterEnd ? 0 : open.isPast ? this.lateMs : this.earlyMs);
  }

  private opened(key: string, window: OpenWindow["window"], endMs: number): OpenWindow {
    const isPast = this.watermarkMs >= endMs;
    const none = { elements: [], added: 0, panes: 0, notEarlyPanes: 0, dueAtMs: Number.POSITIVE_INFINITY };
    return { key, window, endMs, isPast, ...none };
  }

  /** The panes that fire at this processing time, or because the watermark of the input has come this far. */
  *fire(nowMs: number, watermarkMs: number): Iterable<Pane> {
    this.watermarkMs = watermarkMs;
    for (const [name, open] of this.windows) {
      const endsNow = !open.isPast && watermarkMs >= open.endMs;
      const isLast = this.hasExpired(open.endMs);
      if (open.added > 0 && (endsNow || isLast || nowMs >= open.dueAtMs)) {
        const timing = endsNow ? "ON_TIME" : open.isPast ? "LATE" : "EARLY";
        yield this.pane(open, timing as Pane["pane"]["timing"], isLast);
      }
      if (endsNow) open.isPast = true;
      if (isLast) this.windows.delete(name);
    }
  }

  private pane(open: OpenWindow, timing: Pane["pane"]["timing"], isLast: boolean): Pane {
    const { key, window, elements } = open;
    const index = open.panes++;
    const onTimeIndex = timing === ("EARLY" as typeof timing) ? -1 : open.notEarlyPanes++;
    const pane = { timing, index, onTimeIndex, isFirst: index === 0, isLast };
    open.added = 0;
    open.dueAtMs = Number.POSITIVE_INFINITY;
    open.elements = this.isAccumulating ? [...elements] : [];
    return { value: { key, value: elements }, windows: [window], timestamp: window.maxTimestamp(), pane };
  }

  private hasExpired(endMs: number): boolean {
    return this.watermarkMs > endMs - 1 + this.allowedLatenessMs;
  }
}

/** Infinity: there is no such firing. */
function delayOf(trigger: Trigger | undefined): number {
  if (trigger === undefined) return Number.POSITIVE_INFINITY;
  const kind = trigger.trigger;
  if (kind.oneofKind !== "afterProcessingTime") throw new Error(`no such firing here: ${kind.oneofKind}`);
  const [transform] = kind.afterProcessingTime.timestampTransforms;
  const delay = transform?.timestampTransform;
  if (delay?.oneofKind !== "delay") throw new Error("a firing after a delay of processing time is wanted");
  return Number(delay.delay.delayMillis);
}
