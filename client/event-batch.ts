// SPDX-License-Identifier: Apache-2.0
/** The bookkeeping of ViewmillClient: which events are in which request, and which call waits for them. */
import { type EventError, EventsError } from "./errors";

/** One call of the client. The call settles when the last of its events has. */
export class Call {
  readonly done: Promise<void>;
  private accepted = 0;
  private readonly failed: EventError[] = [];
  private resolve!: () => void;
  private reject!: (error: Error) => void;

  constructor(
    /** The number of events without an answer. */
    public waiting: number,
    /** Whether the call is for one event, which fails with its EventError; a list fails with an EventsError. */
    private readonly single: boolean,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // A caller that ignores the promise must not cause an unhandled rejection; `onRejected` reports the failure, too.
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

/** An event under way. Its JSON is made once, at the call, so that every attempt sends the same text. */
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
