import { type Compressor, platformGzip } from "./compress";
import { Delivery, type DeliveryOptions, type DeliveryOutcome } from "./delivery";
import { EventError, type EventErrorReason } from "./errors";
import { Call, EventBatch, type PendingEvent } from "./event-batch";
import { uuidV7 } from "./uuid-v7";

/** COUNT counts the event; SUM and AVERAGE need its value too. All are answered by the read API from the same events. */
export type EventFunction = "COUNT" | "SUM" | "AVERAGE";

export interface ClientEvent {
  videoId: string;
  eventType: string;
  /** Default COUNT, or SUM where there is a value. */
  function?: EventFunction;
  /** Integer, |value| <= 2^53-1, in the smallest unit. */
  value?: number;
  /** Default: a new UUIDv7. Give one to make a repeat across processes count once. */
  eventId?: string;
  /** Default: the time of the call. */
  eventTime?: Date | number;
}

export interface ViewmillClientOptions extends DeliveryOptions {
  /** Events in one request. Default 500. */
  batchSize?: number;
  /** Bytes of one request before compression. Default 1 MiB. */
  maxBatchBytes?: number;
  /** A batch that does not fill is sent this long after its first event. Default 20. */
  lingerMs?: number;
  /** Events and bytes in the buffer, on their way included; calls beyond wait. Defaults 50,000 and 32 MiB. */
  maxBufferedEvents?: number;
  maxBufferedBytes?: number;
  /** Events whose calls wait for room; beyond them a call fails with `buffer-full`. Default: maxBufferedEvents. */
  maxWaitingEvents?: number;
  /** Default 4. */
  maxInFlightRequests?: number;
  /** Default `gzip`, by node:zlib or CompressionStream. */
  compression?: "gzip" | "none" | Compressor;
  /** Told of every event that was not accepted, whatever became of its promise. */
  onRejected?: (error: EventError) => void;
  /** Epoch milliseconds. Default Date.now. */
  clock?: () => number;
}

/** Below this gzip costs more than it saves. */
const MIN_COMPRESSED_BYTES = 256;

/**
 * Sends events in batches and retries with the same eventIds, so that each counts once. Every call returns a promise
 * that resolves when its events are durable on the server and rejects with an EventError (a list: EventsError) that tells the reason.
 */
export class ViewmillClient {
  private readonly delivery: Delivery;
  private readonly compressor: Compressor | undefined;
  private open = new EventBatch();
  private lingerTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly sealed: EventBatch[] = [];
  private readonly waiting: PendingEvent[] = [];
  private waitingFrom = 0;
  private readonly roomWanted: (() => void)[] = [];
  private readonly calls = new Set<Promise<void>>();
  private inFlight = 0;
  private bufferedEvents = 0;
  private bufferedBytes = 0;
  private flushing = 0;
  private closed = false;

  constructor(private readonly options: ViewmillClientOptions) {
    this.delivery = new Delivery({ ...options, maxConnections: options.maxInFlightRequests ?? 4 });
    const { compression = "gzip" } = options;
    if (compression === "gzip") this.compressor = platformGzip();
    else if (compression !== "none") this.compressor = compression;
  }

  /** Counts one view of the video. */
  countViewEvent(videoId: string): Promise<void> {
    return this.submit([{ videoId, eventType: "VIEW" }], true);
  }

  /** Counts one event of any type. */
  countEvent(videoId: string, eventType: string): Promise<void> {
    return this.submit([{ videoId, eventType }], true);
  }

  /** One event for a function; COUNT takes no value, SUM and AVERAGE need one. */
  processEvent(videoId: string, eventType: string, fn: EventFunction, value?: number): Promise<void> {
    const event: ClientEvent = { videoId, eventType, function: fn };
    if (value !== undefined) event.value = value;
    return this.submit([event], true);
  }

  /** Many events; resolves when all are durable, else rejects with an EventsError that names those that are not. */
  processEvents(events: readonly ClientEvent[]): Promise<void> {
    return this.submit(events, false);
  }

  /** Resolves when a call would not have to wait for room in the buffer: await it to follow the server's pace. */
  ready(): Promise<void> {
    if (this.hasRoom(1, 0)) return Promise.resolve();
    return new Promise((resolve) => this.roomWanted.push(resolve));
  }

  /** Sends what is buffered without lingering; resolves when every call made so far has its answer, good or bad. */
  async flush(): Promise<void> {
    this.flushing++;
    try {
      this.seal();
      await Promise.allSettled([...this.calls]);
    } finally {
      this.flushing--;
    }
  }

  /** Like `flush`; calls made afterwards fail with `closed`. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flush();
  }

  private submit(events: readonly ClientEvent[], single: boolean): Promise<void> {
    const call = new Call(events.length, single);
    const nowMs = (this.options.clock ?? Date.now)();
    this.calls.add(call.done);
    const forget = () => void this.calls.delete(call.done);
    call.done.then(forget, forget);
    for (let index = 0; index < events.length; index++) {
      const pending = pendingEvent(events[index]!, nowMs, index, call);
      const failure = this.closed ? failureOf(pending, "closed", "the client is closed") : this.check(pending);
      if (failure === undefined) this.enqueue(pending);
      else this.settle(pending, failure);
    }
    return call.done;
  }

  private check(pending: PendingEvent & { problem?: Problem }): EventError | undefined {
    if (pending.problem !== undefined) return failureOf(pending, pending.problem.reason, pending.problem.detail);
    const { maxBatchBytes = 1 << 20 } = this.options;
    if (pending.sizeBytes + 3 <= maxBatchBytes) return undefined;
    return failureOf(pending, "too-large", `the event is larger than a batch of ${maxBatchBytes} bytes`);
  }

  private hasRoom(events: number, bytes: number): boolean {
    const { maxBufferedEvents = 50_000, maxBufferedBytes = 32 << 20 } = this.options;
    if (this.bufferedEvents === 0) return true;
    return this.bufferedEvents + events <= maxBufferedEvents && this.bufferedBytes + bytes <= maxBufferedBytes;
  }

  private enqueue(pending: PendingEvent): void {
    const waiting = this.waiting.length - this.waitingFrom;
    if (waiting === 0 && this.hasRoom(1, pending.sizeBytes)) {
      this.buffer(pending);
      return;
    }
    const { maxBufferedEvents = 50_000, maxWaitingEvents = maxBufferedEvents } = this.options;
    if (waiting < maxWaitingEvents) this.waiting.push(pending);
    else this.settle(pending, failureOf(pending, "buffer-full", "too many calls wait for room in the buffer"));
  }

  private buffer(pending: PendingEvent): void {
    const { batchSize = 500, maxBatchBytes = 1 << 20, lingerMs = 20 } = this.options;
    this.bufferedEvents++;
    this.bufferedBytes += pending.sizeBytes;
    if (this.open.sizeBytes + pending.sizeBytes + 1 > maxBatchBytes) this.seal();
    this.open.add(pending);
    if (this.open.events.length >= batchSize) this.seal();
    else this.lingerTimer ??= setTimeout(() => this.seal(), this.flushing > 0 ? 0 : lingerMs);
  }

  private seal(): void {
    clearTimeout(this.lingerTimer);
    this.lingerTimer = undefined;
    if (this.open.events.length === 0) return;
    this.sealed.push(this.open);
    this.open = new EventBatch();
    this.pump();
  }

  private pump(): void {
    const { maxInFlightRequests = 4 } = this.options;
    while (this.inFlight < maxInFlightRequests) {
      const batch = this.sealed.shift();
      if (batch === undefined) return;
      this.inFlight++;
      void this.send(batch).finally(() => {
        this.inFlight--;
        this.pump();
      });
    }
  }

  private async send(batch: EventBatch): Promise<void> {
    let outcome: DeliveryOutcome;
    try {
      const headers: Record<string, string> = { "Content-Type": "application/json" };
      let body = batch.body();
      if (this.compressor !== undefined && body.byteLength >= MIN_COMPRESSED_BYTES) {
        body = await this.compressor.compress(body);
        headers["Content-Encoding"] = this.compressor.encoding;
      }
      outcome = await this.delivery.deliver(body, headers);
    } catch (error) {
      outcome = { kind: "undelivered", attempts: 0, detail: error instanceof Error ? error.message : String(error) };
    }
    this.finish(batch, outcome);
  }

  private finish(batch: EventBatch, outcome: DeliveryOutcome): void {
    if (outcome.kind === "refused" && outcome.status === 413 && batch.events.length > 1) {
      this.sealed.unshift(...batch.halves());
      return;
    }
    const failures = new Map<number, EventError>();
    const all = (reason: EventErrorReason, detail: string) => {
      for (const [at, event] of batch.events.entries()) failures.set(at, failureOf(event, reason, detail));
    };
    if (outcome.kind === "refused") all(outcome.status === 413 ? "too-large" : "refused", outcome.detail);
    else if (outcome.kind === "undelivered") all("undelivered", outcome.detail);
    else {
      for (const { index, reason, detail } of outcome.rejected) {
        const event = batch.events[index];
        if (event !== undefined) failures.set(index, failureOf(event, reason, detail));
      }
    }
    for (const [at, event] of batch.events.entries()) {
      this.bufferedEvents--;
      this.bufferedBytes -= event.sizeBytes;
      this.settle(event, failures.get(at));
    }
    this.admitWaiting();
  }

  private admitWaiting(): void {
    while (this.waitingFrom < this.waiting.length) {
      const next = this.waiting[this.waitingFrom]!;
      if (!this.hasRoom(1, next.sizeBytes)) break;
      this.waitingFrom++;
      this.buffer(next);
    }
    if (this.waitingFrom === this.waiting.length || this.waitingFrom > 10_000) {
      this.waiting.splice(0, this.waitingFrom);
      this.waitingFrom = 0;
    }
    if (this.waiting.length === 0 && this.hasRoom(1, 0)) for (const resolve of this.roomWanted.splice(0)) resolve();
  }

  private settle(event: PendingEvent, failure: EventError | undefined): void {
    event.call.settle(failure);
    if (failure === undefined || this.options.onRejected === undefined) return;
    try {
      this.options.onRejected(failure);
    } catch (error) {
      // The application's bug must not stop the other events; it surfaces as its own uncaught error.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

interface Problem {
  reason: EventErrorReason;
  detail: string;
}

function pendingEvent(
  event: ClientEvent,
  nowMs: number,
  index: number,
  call: Call,
): PendingEvent & { problem?: Problem } {
  const eventTime = Number(event.eventTime ?? nowMs);
  const eventId = event.eventId ?? uuidV7(eventTime >= 0 && eventTime < 2 ** 48 ? eventTime : nowMs);
  const pending = { eventId, json: "", sizeBytes: 0, index, call };
  const problem = problemOf(event, eventTime);
  if (problem !== undefined) return { ...pending, problem };
  const { videoId, eventType, value } = event;
  pending.json = JSON.stringify({ eventId, videoId, eventType, eventTime, value });
  pending.sizeBytes = sizeBytesOf(pending.json);
  return pending;
}

/** What the server could not see any more, or JSON not carry; everything else is the server's to judge. */
function problemOf(event: ClientEvent, eventTime: number): Problem | undefined {
  const { videoId, eventType, function: fn, value } = event;
  const badValue = (detail: string): Problem => ({ reason: "bad-value", detail });
  if (typeof videoId !== "string") return { reason: "bad-video-id", detail: "videoId must be a string" };
  if (typeof eventType !== "string") return { reason: "bad-event-type", detail: "eventType must be a string" };
  if (!Number.isFinite(eventTime)) return { reason: "bad-event-time", detail: "eventTime is no time" };
  if (value !== undefined && !Number.isSafeInteger(value))
    return badValue("value must be an integer, |value| <= 2^53-1");
  if (fn === "COUNT" && value !== undefined) return badValue("COUNT takes no value");
  if ((fn === "SUM" || fn === "AVERAGE") && value === undefined) return badValue(`${fn} needs a value`);
  return undefined;
}

const encoder = new TextEncoder();

/** Most events are ASCII: no need to encode them to know their size. */
function sizeBytesOf(json: string): number {
  for (let i = 0; i < json.length; i++) if (json.charCodeAt(i) > 127) return encoder.encode(json).byteLength;
  return json.length;
}

function failureOf(event: PendingEvent, reason: EventErrorReason, detail: string): EventError {
  return new EventError(reason, detail, event.eventId, event.index);
}
