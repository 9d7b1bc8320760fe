import type { Pane } from "../../domain/pane";
import type { PaneCache } from "../../transforms/dedupe-by-event-id";

interface KeptMinute {
  panes: Map<number, Pane>;
  /** By minute of receipt. */
  late: Map<number, number>;
  /** Archive objects whose events are in the panes. */
  objects: number;
}

/**
 * The open panes of the embedded stream, kept from one run of the graph to the next, as a streaming runner keeps the state of an
 * accumulating window. What is kept is only ever a short cut: a minute that is not here is recounted whole from the archive. So the cache
 * may forget anything at any time, and must forget a minute whenever a run that touched it failed.
 */
export class EmbeddedPaneCache implements PaneCache {
  private readonly minutes = new Map<number, KeptMinute>();

  constructor(private readonly maxIds: number) {}

  /** Whether the minute's panes hold exactly the events of its `objects` archive objects. */
  holds(minute: number, objects: number): boolean {
    return (this.minutes.get(minute)?.objects ?? 0) === objects;
  }

  continue(minute: number, partition: number, fresh: () => Pane): Pane {
    const kept = this.kept(minute);
    let pane = kept.panes.get(partition);
    if (pane === undefined) {
      pane = fresh();
      kept.panes.set(partition, pane);
    }
    return pane;
  }

  addLate(minute: number, receiptMinute: number, count: number): number {
    const { late } = this.kept(minute);
    const sum = (late.get(receiptMinute) ?? 0) + count;
    late.set(receiptMinute, sum);
    return sum;
  }

  private kept(minute: number): KeptMinute {
    let kept = this.minutes.get(minute);
    if (kept === undefined) {
      kept = { panes: new Map(), late: new Map(), objects: 0 };
      this.minutes.set(minute, kept);
    }
    return kept;
  }

  /** The run succeeded: the minute's panes now hold `objects` archive objects. Makes it the one used last. */
  keep(minute: number, objects: number): void {
    const kept = this.minutes.get(minute);
    if (kept === undefined) return;
    kept.objects = objects;
    this.minutes.delete(minute);
    this.minutes.set(minute, kept);
  }

  forget(minutes: Iterable<number>): void {
    for (const minute of minutes) this.minutes.delete(minute);
  }

  /** Forgets the minutes used longest ago until at most `maxIds` event ids are held. */
  trim(): void {
    let ids = 0;
    for (const kept of this.minutes.values()) ids += idsOf(kept);
    for (const [minute, kept] of this.minutes) {
      if (ids <= this.maxIds) return;
      ids -= idsOf(kept);
      this.minutes.delete(minute);
    }
  }

  get size(): { minutes: number; ids: number } {
    let ids = 0;
    for (const kept of this.minutes.values()) ids += idsOf(kept);
    return { minutes: this.minutes.size, ids };
  }
}

function idsOf(kept: KeptMinute): number {
  let ids = 0;
  for (const pane of kept.panes.values()) ids += pane.distinct;
  return ids;
}
