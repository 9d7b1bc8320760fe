// SPDX-License-Identifier: Apache-2.0
import { type EventError, EventsError } from "./errors";

/** One call of the client: it settles when the last of its events has. */
export class Call {
  readonly done: Promise<void>;
  private accepted = 0;
  private readonly failed: EventError[] = [];
  private resolve!: () => void;
  private reject!: (error: Error) => void;

  constructor(
    /** Events without an answer. */
    public waiting: number,
    /** A call for one event fails with its EventError, one for a list with an EventsError. */
    private readonly single: boolean,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // A caller that does not look at the promise must not die of an unhandled rejection: `onRejected` tells it too.
    this.done.catch(() => {});
    if (waiting === 0) this.resolve();
  }

  settle(failure: EventError | undefined): void {
    if (failure === undefined) this.accepted++;
    else this.failed.push(failure);
    if (--this.waiting > 0) return;
    if (this.failed.length === 0) this.resolve();
    else if (this.single) this.reject(this.failed[0]!);
    else
      this.reject(
        new EventsError(
          this.accepted,
          this.failed.sort((a, b) => a.index - b.index),
        ),
      );
  }
}

/** An event on its way: its JSON is made once, at the call, so that every attempt sends the same. */
export interface PendingEvent {
  eventId: string;
  json: string;
  sizeBytes: number;
  index: number;
  call: Call;
}

/** The events of one request. */
export class EventBatch {
  readonly events: PendingEvent[] = [];
  sizeBytes = 2;

  add(event: PendingEvent): void {
    this.events.push(event);
    this.sizeBytes += event.sizeBytes + 1;
  }

  body(): Uint8Array {
    return new TextEncoder().encode(`[${this.events.map((event) => event.json).join(",")}]`);
  }

  halves(): EventBatch[] {
    const middle = Math.ceil(this.events.length / 2);
    return [this.events.slice(0, middle), this.events.slice(middle)].map((events) => {
      const half = new EventBatch();
      for (const event of events) half.add(event);
      return half;
    });
  }
}
