// SPDX-License-Identifier: Apache-2.0
import { STAMP_MEMORY_MS, type Stamp } from "../io/ports";

interface StampEntry extends Stamp {
  /**
   * Whether the log or the shared stamps have the stamp. Until then every request that uses the stamp writes it, or
   * asks for it.
   */
  durable: boolean;
  /** When the stamp was given, by the clock as it has been since: its ten minutes run from then. */
  givenAtMs: number;
}

/** A request may be stamped behind one that was received so much later. Only a clock that was set differs by more. */
const OUT_OF_ORDER_MS = 5_000;

/**
 * Remembers for 10 minutes the time that an event without a time was given, so that a retry gets the same time.
 * Concurrent requests share a stamp. The book is bounded: a full book refuses new stamps until old ones expire. Each
 * instance of the write API has one, and agree-on-stamps.ts lets the instances agree.
 */
export class StampBook {
  /** In the order of stamping, so that the oldest entries are first. */
  private readonly entries = new Map<string, StampEntry>();
  private lastNowMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly maxEntries: number) {}

  get size(): number {
    return this.entries.size;
  }

  /** Loads the stamps that the log remembers from an earlier process. */
  load(stamps: readonly Stamp[]): void {
    for (const stamp of [...stamps].sort((a, b) => a.stampedAtMs - b.stampedAtMs)) {
      this.entries.delete(stamp.key);
      this.entries.set(stamp.key, { ...stamp, durable: true, givenAtMs: stamp.stampedAtMs });
      this.lastNowMs = Math.max(this.lastNowMs, stamp.stampedAtMs);
    }
  }

  /** Returns the stamp of this event, a new one where it has none; undefined where the book is full. */
  stampOf(key: string, nowMs: number): Stamp | undefined {
    if (nowMs < this.lastNowMs - OUT_OF_ORDER_MS) this.setBack(nowMs);
    this.lastNowMs = nowMs;
    const known = this.entries.get(key);
    if (known !== undefined && isFresh(known, nowMs)) return known;
    this.forgetExpired(nowMs);
    if (this.entries.size >= this.maxEntries) return undefined;
    const entry: StampEntry = { key, stampedAtMs: nowMs, durable: false, givenAtMs: nowMs };
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  /** Returns those of a request's stamps that no other store has yet, each once. */
  toPersist(stamps: readonly Stamp[]): Stamp[] {
    const missing = new Map<string, Stamp>();
    for (const { key, stampedAtMs, durable } of stamps as readonly StampEntry[]) {
      if (!durable) missing.set(key, { key, stampedAtMs });
    }
    return [...missing.values()];
  }

  /**
   * Replaces this book's proposals by the stamps that every instance gives. Requests that hold a proposal see the
   * change in their stamps.
   */
  settle(held: readonly Stamp[]): void {
    for (const { key, stampedAtMs } of held) {
      const entry = this.entries.get(key);
      if (entry === undefined || entry.durable) continue;
      entry.stampedAtMs = stampedAtMs;
      entry.durable = true;
    }
  }

  markDurable(stamps: readonly Stamp[]): void {
    for (const stamp of stamps) (stamp as StampEntry).durable = true;
  }

  /** Where the clock was ahead, its stamps hold for ten minutes more, and not until the clock has caught up. */
  private setBack(nowMs: number): void {
    for (const entry of this.entries.values()) entry.givenAtMs = Math.min(entry.givenAtMs, nowMs);
  }

  private forgetExpired(nowMs: number): void {
    for (const [key, entry] of this.entries) {
      if (isFresh(entry, nowMs)) return;
      this.entries.delete(key);
    }
  }
}

const isFresh = (stamp: StampEntry, nowMs: number): boolean => nowMs - stamp.givenAtMs < STAMP_MEMORY_MS;
