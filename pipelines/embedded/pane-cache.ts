// SPDX-License-Identifier: Apache-2.0
import type { Pane } from "../../domain/columns/pane";
import { PaneNames } from "../../domain/columns/pane-names";
import type { PaneCache } from "../../transforms/dedupe-by-event-id";
import { hashSeed } from "../../transforms/hash-seed";

interface KeptMinute {
  panes: Map<number, Pane>;
  /** How many events were set aside as late, by minute of receipt. */
  late: Map<number, number>;
  /** The listed archive objects whose events are in the panes, as `objectKey`. */
  objects: ReadonlySet<string>;
  /** Objects that a recount found in the archive without a listing. Their events are in the panes, too. */
  unlisted: ReadonlySet<string>;
  usedAtMs: number;
}

const NONE: ReadonlySet<string> = new Set();

/** The time without events after which a minute is dropped. Later events recount the minute from the archive. */
const MAX_IDLE_MS = 120_000;

/**
 * The weight of an open pane beside its ids, in ids: its tables have a least size, and a minute may have a single
 * event.
 */
const PANE_IDS = 512;

/** The number of names beyond which new panes get a new space of names. */
const MAX_SHARED_NAMES = 2 ** 19;

/**
 * Returns the key of an object with its content: an object that is written again has another size where it has other
 * events.
 */
export const objectKey = ({ name, sizeBytes }: { name: string; sizeBytes: number }): string => `${name} ${sizeBytes}`;

/**
 * The open panes of the embedded stream, kept from one run of the graph to the next, as a streaming runner keeps the
 * state of an accumulating window. The cache is a short cut and nothing more: a minute that it does not hold is
 * recounted whole from the archive. So the cache may forget anything at any time, and must forget a minute whenever a
 * run that touched the minute failed. The stream process owns one, and count-objects.ts counts on top of its panes.
 */
export class EmbeddedPaneCache implements PaneCache {
  private readonly minutes = new Map<number, KeptMinute>();
  private shared = new PaneNames(hashSeed);

  /** `now` returns milliseconds of any clock that only goes forward. */
  constructor(
    private readonly maxIds: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Returns the names for new panes. Beyond MAX_SHARED_NAMES, new panes get new names; the old ones are freed with the
   * last pane that uses them.
   */
  names(): PaneNames {
    const { videos, types } = this.shared;
    if (videos.size + types.size > MAX_SHARED_NAMES) this.shared = new PaneNames(hashSeed);
    return this.shared;
  }

  /**
   * Returns whether the minute's panes hold exactly the events of the objects listed for the minute, so that `added`
   * may be counted on top.
   */
  holds(minute: number, listed: ReadonlySet<string>, added?: string): boolean {
    const { objects, unlisted } = this.minutes.get(minute) ?? { objects: NONE, unlisted: NONE };
    if (added !== undefined && unlisted.has(added)) return false;
    if (!objects.isSubsetOf(listed)) return false;
    return objects.size === listed.size || [...listed].every((key) => objects.has(key) || unlisted.has(key));
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
      kept = { panes: new Map(), late: new Map(), objects: NONE, unlisted: NONE, usedAtMs: this.now() };
      this.minutes.set(minute, kept);
    }
    return kept;
  }

  /**
   * Keeps a minute after its run succeeded. `listed` are the minute's listed objects now; `read` are the objects read
   * from the archive where the minute was recounted. The minute becomes the one used last.
   */
  keep(minute: number, listed: ReadonlySet<string>, read?: ReadonlySet<string>): void {
    const kept = this.minutes.get(minute);
    if (kept === undefined) return;
    const held = read ?? kept.unlisted;
    kept.unlisted = held.size === 0 ? NONE : held.difference(listed);
    kept.objects = listed;
    kept.usedAtMs = this.now();
    this.minutes.delete(minute);
    this.minutes.set(minute, kept);
  }

  forget(minutes: Iterable<number>): void {
    for (const minute of minutes) this.minutes.delete(minute);
  }

  /**
   * Forgets the minutes that received no event lately, and then the minutes used longest ago until the rest weighs at
   * most `maxIds`.
   */
  trim(): void {
    const idleSinceMs = this.now() - MAX_IDLE_MS;
    for (const [minute, { usedAtMs }] of this.minutes) {
      if (usedAtMs > idleSinceMs) break;
      this.minutes.delete(minute);
    }
    let weight = 0;
    for (const kept of this.minutes.values()) weight += weightOf(kept);
    for (const [minute, kept] of this.minutes) {
      if (weight <= this.maxIds) return;
      weight -= weightOf(kept);
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

/**
 * Returns a minute's weight in ids. A cache of bound 0 keeps no minute at all; beyond the least size of its tables a
 * pane's memory grows with its ids.
 */
function weightOf(kept: KeptMinute): number {
  let weight = 0;
  for (const pane of kept.panes.values()) weight += Math.max(PANE_IDS, pane.distinct);
  return weight;
}
