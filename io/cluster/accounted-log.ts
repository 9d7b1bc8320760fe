// SPDX-License-Identifier: Apache-2.0
/** A log around the shared log that keeps account of what was acknowledged. `serve` opens one for the write API. */
import { randomUUID } from "node:crypto";
import { type EventLog, type Ledger, type LogBatch, LogFullError, StoreUnavailableError } from "../ports";
import type { Spilled } from "./spill-log";

export interface AccountOptions {
  ledger: Pick<Ledger, "bookAccepted">;
  /** Returns epoch milliseconds. */
  clock: () => number;
  /** The interval of bookings: a crash loses the account of events accepted since the last one. */
  intervalMs?: number;
  /** The age of its last booking from which on an instance counts as ended. */
  leaseMs?: number;
  /** The number of minutes of an account. Beyond it, another account begins. */
  maxMinutes?: number;
  onFailure?: (error: unknown) => void;
}

const CLOSE_DEADLINE_MS = 10_000;
const RETRY_MS = 200;

interface Account {
  instance: string;
  sequence: number;
  /** All accepted events, by minute of event time. */
  minutes: Map<number, number>;
}

/**
 * A shared log with an account of its acknowledged events. The instance that answers 202 keeps this account apart from
 * the log, in the ledger's store. A message that is lost on its way to the archive then shows as promised and not
 * archived. Every append counts from the moment it was requested, so that the account's time is never ahead of an
 * acknowledgement. Times are the clock's as it says them: where a clock that was ahead is set right, what is accepted
 * afterwards is accepted at the right time, and holds `completeThrough` there.
 */
export class AccountedLog implements EventLog {
  private account = newAccount();
  private readonly unbooked = new Set<number>();
  private unbookedSinceMs = Number.POSITIVE_INFINITY;
  private readonly underWay = new Map<object, number>();
  private timer: NodeJS.Timeout | undefined;
  private booking: Promise<void> = Promise.resolve();
  private soon: Promise<void> | undefined;
  private begun = false;
  private closed = false;

  constructor(
    private readonly log: EventLog,
    private readonly options: AccountOptions,
  ) {}

  /**
   * Books now, and from then on at every interval, beginning with the first append. A ledger that does not answer
   * delays no append.
   */
  private begin(): void {
    this.begun = true;
    this.bookAndGoOn();
  }

  async append(batch: LogBatch): Promise<unknown> {
    const { maxMinutes = 100_000 } = this.options;
    if (this.unbooked.size > maxMinutes) {
      throw new LogFullError(
        `${this.unbooked.size} minutes with accepted events wait for the ledger (bound ${maxMinutes})`,
      );
    }
    const place = {};
    this.underWay.set(place, this.options.clock());
    if (!this.begun) this.begin();
    try {
      const appended = await this.log.append(batch);
      this.accepted(batch.acceptedByMinute, this.underWay.get(place)!);
      // No other process knows of a batch that is on this disk alone, so its minutes are opened in the ledger before it
      // is acknowledged.
      if (isSpilled(appended)) await this.bookSoon();
      return appended;
    } finally {
      this.underWay.delete(place);
    }
  }

  ping(): Promise<void> {
    return this.log.ping();
  }

  /**
   * Books the rest and closes the account. Where the ledger does not answer in time, the account stays open, and the
   * end of its lease shows that.
   */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.log.close();
    if (!this.begun) return;
    const deadline = performance.now() + CLOSE_DEADLINE_MS;
    for (;;) {
      try {
        await this.book(true);
        return;
      } catch (error) {
        this.options.onFailure?.(error);
        if (performance.now() > deadline) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private accepted(minutes: ReadonlyMap<number, number>, sinceMs: number): void {
    for (const [minute, events] of minutes) {
      this.account.minutes.set(minute, (this.account.minutes.get(minute) ?? 0) + events);
      this.unbooked.add(minute);
    }
    this.unbookedSinceMs = Math.min(this.unbookedSinceMs, sinceMs);
  }

  private schedule(): void {
    if (this.closed) return;
    this.timer = setTimeout(() => this.bookAndGoOn(), this.options.intervalMs ?? 1_000);
    this.timer.unref();
  }

  private bookAndGoOn(): void {
    this.book()
      .catch((error: unknown) => this.options.onFailure?.(error))
      .finally(() => this.schedule());
  }

  /** Makes one booking for all callers that wait for the next. */
  private bookSoon(): Promise<void> {
    this.soon ??= this.booking
      .catch(() => undefined)
      .then(() => {
        this.soon = undefined;
        return this.book();
      });
    return this.soon.catch((error: unknown) => {
      throw error instanceof StoreUnavailableError
        ? error
        : new StoreUnavailableError("the ledger does not answer", { cause: error });
    });
  }

  /** Books one after the other, because a booking states that everything before it is booked. */
  private book(last = false): Promise<void> {
    const next = this.booking.catch(() => undefined).then(() => this.bookNow(last));
    this.booking = next;
    return next;
  }

  private async bookNow(last: boolean): Promise<void> {
    const { ledger, clock, leaseMs = 30_000, maxMinutes = 100_000 } = this.options;
    const nowMs = clock();
    const throughMs = Math.min(nowMs, ...this.underWay.values());
    const { account } = this;
    const minutes = [...this.unbooked].map((minute): [number, number] => [minute, account.minutes.get(minute) ?? 0]);
    const sinceMs = Math.min(this.unbookedSinceMs, nowMs);
    this.unbooked.clear();
    this.unbookedSinceMs = Number.POSITIVE_INFINITY;
    try {
      account.sequence++;
      const { instance, sequence } = account;
      const leaseUntilMs = last ? 0 : nowMs + leaseMs;
      await ledger.bookAccepted({ instance, sequence, minutes: new Map(minutes), sinceMs, throughMs, leaseUntilMs });
    } catch (error) {
      for (const [minute] of minutes) this.unbooked.add(minute);
      this.unbookedSinceMs = Math.min(this.unbookedSinceMs, sinceMs);
      throw error;
    }
    if (!last && account.minutes.size > maxMinutes && this.unbooked.size === 0) await this.beginAnother(throughMs);
  }

  /** Opens the new account before the old one ends, so that no accepted event lies between them. */
  private async beginAnother(throughMs: number): Promise<void> {
    const { ledger, clock, leaseMs = 30_000 } = this.options;
    const before = this.account;
    this.account = newAccount();
    const empty = { minutes: new Map<number, number>(), sinceMs: throughMs, throughMs };
    const leaseUntilMs = clock() + leaseMs;
    await ledger.bookAccepted({
      instance: this.account.instance,
      sequence: ++this.account.sequence,
      ...empty,
      leaseUntilMs,
    });
    await ledger.bookAccepted({ instance: before.instance, sequence: before.sequence + 1, ...empty, leaseUntilMs: 0 });
  }
}

const isSpilled = (appended: unknown): boolean => (appended as Partial<Spilled> | undefined)?.spilled === true;

const newAccount = (): Account => ({ instance: randomUUID(), sequence: 0, minutes: new Map() });
