// SPDX-License-Identifier: Apache-2.0
/**
 * Counts of the events that the lateness rule (domain/rules/lateness.ts) sets aside. The partitioners note them while a
 * bundle is decoded, and the late ledger gets them.
 */
import { minuteOf } from "../event";
import { isLate, setsAside } from "../rules/lateness";

/** How many events of one minute, received in one minute, were set aside. */
export interface LateCount {
  minute: number;
  receiptMinute: number;
  count: number;
}

/** Events that the lateness rule (domain/rules/lateness.ts) sets aside. */
export class LateEvents {
  private readonly late = new Map<string, LateCount>();
  /** Whether the rule can set aside any event. */
  readonly applies: boolean;

  constructor(private readonly allowedLatenessMs: number) {
    this.applies = setsAside(allowedLatenessMs);
  }

  /** Returns whether an event that is no older than `fromMs` may be late: most minutes need no look at each row. */
  mayTake(fromMs: number, receivedAtMs: number | Float64Array): boolean {
    if (typeof receivedAtMs !== "number") return this.applies;
    return isLate(fromMs, receivedAtMs, this.allowedLatenessMs);
  }

  /** Returns whether the event is late, and counts it in that case. */
  takes(minute: number, timeMs: number, receivedAtMs: number): boolean {
    if (!isLate(timeMs, receivedAtMs, this.allowedLatenessMs)) return false;
    const receiptMinute = minuteOf(receivedAtMs);
    const key = `${minute} ${receiptMinute}`;
    const known = this.late.get(key);
    if (known === undefined) this.late.set(key, { minute, receiptMinute, count: 1 });
    else known.count++;
    return true;
  }

  /** Returns the events set aside since the last call. */
  take(): LateCount[] {
    const late = [...this.late.values()];
    this.late.clear();
    return late;
  }
}
