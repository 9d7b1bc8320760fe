// SPDX-License-Identifier: Apache-2.0
/** The application's page makes one (index.ts). */
import type { EventError } from "../errors";
import { Call, type PendingEvent } from "../event-batch";
import { ViewmillClient, type ViewmillClientOptions } from "../viewmill-client";
import { EventQueue } from "./event-queue";

export interface PageClientOptions extends ViewmillClientOptions {
  /**
   * Keeps events without an answer in IndexedDB, so that a reload or a closed tab does not lose them. Default false.
   */
  queue?: boolean | { name?: string; maxEvents?: number };
}

/** The bytes of one beacon: browsers refuse more than 64 KiB that are under way together. */
const MAX_BEACON_BYTES = 60_000;
const DEFAULT_QUEUE = "viewmill";
const DEFAULT_QUEUED_EVENTS = 1_000;
/** Outcomes after which the service may still accept the event; a later page sends it again. */
const TRY_AGAIN = new Set<string>(["undelivered", "closed", "buffer-full"]);

/**
 * The client in a page. When the page is hidden or closed, it sends every event without an answer by sendBeacon (by
 * fetch with keepalive where the requests carry headers, which no beacon can). The ordinary delivery continues as well,
 * because a hidden page often becomes visible again. The service counts an event once by its eventId, whichever request
 * is faster.
 */
export class PageClient extends ViewmillClient {
  private readonly queue: EventQueue | undefined;
  /** Events already sent by beacon. A page that is hidden and then closed sends each of them so once. */
  private readonly beaconed = new WeakSet<PendingEvent>();
  private readonly hidden = () => {
    if (document.visibilityState === "hidden") this.sendBeacons();
  };
  private readonly leaving = () => this.sendBeacons();

  constructor(private readonly pageOptions: PageClientOptions) {
    super(pageOptions);
    const { queue = false } = pageOptions;
    if (queue !== false) {
      const { name = DEFAULT_QUEUE, maxEvents = DEFAULT_QUEUED_EVENTS } = queue === true ? {} : queue;
      this.queue = new EventQueue(name, maxEvents);
      void this.queue.load().then((events) => this.resend(events));
    }
    document.addEventListener("visibilitychange", this.hidden);
    addEventListener("pagehide", this.leaving);
  }

  override async close(options: { withinMs?: number } = {}) {
    const drained = await super.close(options);
    document.removeEventListener("visibilitychange", this.hidden);
    removeEventListener("pagehide", this.leaving);
    await this.queue?.close();
    return drained;
  }

  protected override enqueue(event: PendingEvent): void {
    void this.queue?.put(event);
    super.enqueue(event);
  }

  protected override settle(event: Pick<PendingEvent, "call"> & Partial<PendingEvent>, failure?: EventError): void {
    if (event.eventId !== undefined && !TRY_AGAIN.has(failure?.reason ?? "")) void this.queue?.remove(event.eventId);
    super.settle(event, failure);
  }

  /**
   * Sends kept events again. Their failures reach `onRejected` alone, because no caller of this page waits for them.
   */
  private resend(events: readonly { eventId: string; json: string }[]): void {
    const call = new Call(events.length, false);
    for (const [index, { eventId, json }] of events.entries())
      super.enqueue({ eventId, json, sizeBytes: json.length, index, call });
  }

  private sendBeacons(): void {
    let waiting = this.unanswered().filter((event) => !this.beaconed.has(event));
    while (waiting.length > 0) {
      const { body, events } = nextBeacon(waiting);
      if (!this.sendBeacon(body)) return;
      for (const event of events) this.beaconed.add(event);
      waiting = waiting.slice(events.length);
    }
  }

  /** Returns false where the browser has no room for the beacon; the events stay in the queue. */
  private sendBeacon(body: string): boolean {
    const { headers, fetch: send = fetch } = this.pageOptions;
    if (headers === undefined) return navigator.sendBeacon(this.endpoint, body);
    const type = { "Content-Type": "text/plain" };
    send(this.endpoint, { method: "POST", keepalive: true, headers: { ...headers, ...type }, body }).catch(() => {});
    return true;
  }
}

/** Returns the first events that fit into one beacon, at least one of them. */
function nextBeacon(waiting: readonly PendingEvent[]): { body: string; events: readonly PendingEvent[] } {
  let [count, bytes] = [0, 2];
  for (const { sizeBytes } of waiting) {
    if (count > 0 && bytes + sizeBytes + 1 > MAX_BEACON_BYTES) break;
    bytes += sizeBytes + 1;
    count++;
  }
  const events = waiting.slice(0, count);
  return { body: `[${events.map(({ json }) => json).join(",")}]`, events };
}
