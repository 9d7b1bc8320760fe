// SPDX-License-Identifier: Apache-2.0
/** The client as applications use it: events in, promises out, batches in between. */
import { boundedWaitMs, checkOptions } from "./check-options";
import { type Compressor, platformGzip } from "./compress";
import { Delivery, type DeliveryOptions, type DeliveryOutcome } from "./delivery";
import { EventError, type EventErrorReason } from "./errors";
import { Call, EventBatch, type PendingEvent } from "./event-batch";
import { pause } from "./exchange";
import { messageOf } from "./message-of";
import { type ClientEvent, type EventFunction, type ReadEvent, readEvent } from "./read-event";

export interface ViewmillClientOptions extends DeliveryOptions {
  /** The number of events in one request. Default 500. */
  batchSize?: number;
  /** The bytes of one request before compression. Default 1 MiB. */
  maxBatchBytes?: number;
  /** The time after its first event at which a batch is sent that is not full. Default 20. */
  lingerMs?: number;
  /** The events and bytes in the buffer, including those under way; further calls wait. Defaults 50,000 and 32 MiB. */
  maxBufferedEvents?: number;
  maxBufferedBytes?: number;
  /** The events whose calls wait for room; further calls fail with `buffer-full`. Default: maxBufferedEvents. */
  maxWaitingEvents?: number;
  /** The number of concurrent requests. Default 4. */
  maxInFlightRequests?: number;
  /** The time in which `flush` and `close` resolve, unless the call gives another. Default 30,000. */
  drainWithinMs?: number;
  /** Default `gzip`, by node:zlib or CompressionStream. */
  compression?: "gzip" | "none" | Compressor;
  /** Called with every event that was not accepted, whether its promise is awaited or not. */
  onRejected?: (error: EventError) => void;
  /** Returns epoch milliseconds. Default Date.now. */
  clock?: () => number;
}

/** The outcome of `flush` and `close`. */
export interface Drained {
  /**
   * The number of events without an answer. After `flush` they are still under way; after `close` they were given up,
   * and their calls failed as `undelivered`.
   */
  unanswered: number;
}

/** The size below which gzip costs more than it saves. */
const MIN_COMPRESSED_BYTES = 256;
/** The longest list. A longer one fails as a whole, because its errors alone would fill the memory. */
const MAX_LIST_EVENTS = 1_000_000;

/**
 * Sends events in batches and retries with the same eventIds, so that each event counts once. Every call returns a
 * promise that resolves when its events are durable on the server, and rejects with an EventError (a list: EventsError)
 * that gives the reason. No call throws, and every call ends, whatever its arguments are and whatever the server does.
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
  private readonly calls = new Set<Call>();
  private readonly inFlight = new Set<EventBatch>();
  /** Aborts the requests under way when a close gives up. */
  private readonly givenUp = new AbortController();
  private bufferedEvents = 0;
  private bufferedBytes = 0;
  private flushing = 0;
  private closed = false;

  /** Throws a TypeError for an invalid `url`, a RangeError for a number out of its bounds. */
  constructor(private readonly options: ViewmillClientOptions) {
    checkOptions(options);
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

  /** Sends one event for a function; COUNT takes no value, SUM and AVERAGE need one. */
  processEvent(videoId: string, eventType: string, fn: EventFunction, value?: number): Promise<void> {
    const event: ClientEvent = { videoId, eventType, function: fn };
    if (value !== undefined) event.value = value;
    return this.submit([event], true);
  }

  /** Sends many events. Resolves when all are durable; otherwise rejects with an EventsError that names the others. */
  processEvents(events: readonly ClientEvent[]): Promise<void> {
    return this.submit(events, false);
  }

  /**
   * Resolves when a call would not have to wait for room in the buffer. A caller that awaits it follows the server's
   * pace.
   */
  ready(): Promise<void> {
    if (this.hasRoom(1, 0)) return Promise.resolve();
    return new Promise((resolve) => this.roomWanted.push(resolve));
  }

  /**
   * Sends the buffered events at once. Resolves when every call made so far has its answer, good or bad, or when its
   * time is over. The longest time is 24 days; a `withinMs` that is no time counts as `drainWithinMs`.
   */
  async flush(options: { withinMs?: number } = {}): Promise<Drained> {
    const withinMs = boundedWaitMs(options?.withinMs, this.options.drainWithinMs ?? 30_000);
    const calls = [...this.calls];
    const over = new AbortController();
    this.flushing++;
    try {
      this.seal();
      const answers = Promise.allSettled(calls.map(({ done }) => done));
      await Promise.race([answers, pause(withinMs, over.signal)]);
    } finally {
      over.abort();
      this.flushing--;
    }
    return { unanswered: calls.reduce((sum, { waiting }) => sum + waiting, 0) };
  }

  /**
   * Sends as `flush` does; later calls fail with `closed`. Events without an answer at the end of its time are given
   * up.
   */
  async close(options: { withinMs?: number } = {}): Promise<Drained> {
    this.closed = true;
    const drained = await this.flush(options);
    if (drained.unanswered > 0) this.giveUp();
    return drained;
  }

  private submit(events: unknown, single: boolean): Promise<void> {
    let [length, nowMs] = [0, 0];
    let problem: Problem | undefined;
    try {
      if (!Array.isArray(events)) problem = { reason: "bad-event", detail: "an array of events is wanted" };
      else length = lengthOf(events);
      nowMs = Number((this.options.clock ?? Date.now)());
    } catch (error) {
      problem = { reason: "bad-event", detail: `the events cannot be read: ${messageOf(error)}` };
    }
    if (!(length <= MAX_LIST_EVENTS))
      problem = { reason: "too-large", detail: `a list holds at most ${MAX_LIST_EVENTS} events` };
    const call = new Call(problem === undefined ? length : 1, single);
    this.calls.add(call);
    const forget = () => void this.calls.delete(call);
    call.done.then(forget, forget);
    if (problem !== undefined) this.refuse(call, 0, null, problem);
    else for (let index = 0; index < length; index++) this.take(call, index, elementOf(events, index), nowMs);
    return call.done;
  }

  private take(call: Call, index: number, element: Element, nowMs: number): void {
    const { maxBatchBytes = 1 << 20 } = this.options;
    const read: ReadEvent =
      "problem" in element
        ? { eventId: null, problem: element.problem }
        : readEvent(element.value, nowMs, maxBatchBytes);
    if (this.closed || read.problem !== undefined) {
      this.refuse(call, index, read.eventId, (this.closed ? undefined : read.problem) ?? CLOSED);
      return;
    }
    const { eventId, json } = read;
    const pending = { eventId, json, sizeBytes: sizeBytesOf(json), index, call };
    const detail = `the event is larger than a batch of ${maxBatchBytes} bytes`;
    if (pending.sizeBytes + 3 > maxBatchBytes) this.settle(pending, failureOf(pending, "too-large", detail));
    else this.enqueue(pending);
  }

  private refuse(call: Call, index: number, eventId: string | null, { reason, detail }: Problem): void {
    this.settle({ call }, new EventError(reason, detail, eventId, index));
  }

  /** Fails every event without an answer. Requests under way are aborted, and their answers are ignored. */
  private giveUp(): void {
    const events = this.unanswered();
    this.sealed.length = 0;
    clearTimeout(this.lingerTimer);
    this.lingerTimer = undefined;
    this.open = new EventBatch();
    this.inFlight.clear();
    this.waiting.length = 0;
    [this.waitingFrom, this.bufferedEvents, this.bufferedBytes] = [0, 0, 0];
    this.givenUp.abort();
    for (const event of events) this.settle(event, failureOf(event, "undelivered", GIVEN_UP));
    this.admitWaiting();
  }

  /** Returns the events without a known answer, those under way included. */
  protected unanswered(): PendingEvent[] {
    const batches = [...this.inFlight, ...this.sealed, this.open];
    return [...batches.flatMap((batch) => batch.events), ...this.waiting.slice(this.waitingFrom)];
  }

  /** The URL of requests. */
  protected get endpoint(): string {
    return this.delivery.endpoint;
  }

  private hasRoom(events: number, bytes: number): boolean {
    const { maxBufferedEvents = 50_000, maxBufferedBytes = 32 << 20 } = this.options;
    if (this.bufferedEvents === 0) return true;
    return this.bufferedEvents + events <= maxBufferedEvents && this.bufferedBytes + bytes <= maxBufferedBytes;
  }

  protected enqueue(pending: PendingEvent): void {
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
    while (this.inFlight.size < maxInFlightRequests) {
      const batch = this.sealed.shift();
      if (batch === undefined) return;
      this.inFlight.add(batch);
      void this.send(batch).then((outcome) => {
        // A batch that was given up has reported its events already.
        if (!this.inFlight.delete(batch)) return;
        this.finish(batch, outcome);
        this.pump();
      });
    }
  }

  /** Never rejects. */
  private async send(batch: EventBatch): Promise<DeliveryOutcome> {
    try {
      const headers: Record<string, string> = { "Content-Type": "application/json" };
      let body = batch.body();
      if (this.compressor !== undefined && body.byteLength >= MIN_COMPRESSED_BYTES) {
        body = await this.compressor.compress(body);
        headers["Content-Encoding"] = this.compressor.encoding;
      }
      return await this.delivery.deliver(body, headers, { events: batch.events.length, signal: this.givenUp.signal });
    } catch (error) {
      return { kind: "undelivered", attempts: 0, detail: messageOf(error) };
    }
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

  protected settle(event: Pick<PendingEvent, "call"> & Partial<PendingEvent>, failure?: EventError): void {
    event.call.settle(failure);
    if (failure === undefined || this.options.onRejected === undefined) return;
    try {
      this.options.onRejected(failure);
    } catch (error) {
      // A bug of the application must not stop other events; the bug surfaces as an uncaught error of its own.
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

const CLOSED: Problem = { reason: "closed", detail: "the client is closed" };
const GIVEN_UP = "the client was closed before the event had an answer; it may have arrived";

/** Reads the length of a list. A Proxy may state a length that no list has, and a call of -1 events would never end. */
function lengthOf(events: readonly unknown[]): number {
  const { length } = events as { length: unknown };
  if (Number.isInteger(length) && (length as number) >= 0) return length as number;
  throw new RangeError(`a list of ${String(length)} events`);
}

type Element = { value: unknown } | { problem: Problem };

/** Reads one element of a list, which may be a Proxy. */
function elementOf(events: unknown, index: number): Element {
  try {
    return { value: (events as unknown[])[index] };
  } catch (error) {
    return { problem: { reason: "bad-event", detail: `the event cannot be read: ${messageOf(error)}` } };
  }
}

const encoder = new TextEncoder();

/** Returns the bytes of a JSON text. Most events are ASCII, whose size needs no encoding. */
function sizeBytesOf(json: string): number {
  for (let i = 0; i < json.length; i++) if (json.charCodeAt(i) > 127) return encoder.encode(json).byteLength;
  return json.length;
}

function failureOf(event: PendingEvent, reason: EventErrorReason, detail: string): EventError {
  return new EventError(reason, detail, event.eventId, event.index);
}
