// SPDX-License-Identifier: Apache-2.0
/**
 * The write API: `Ingest.handle` takes a request from its headers to the answer, and `Ingest.again` does the same for a
 * replayed dead letter. The front of `serve` calls it before Express sees the request.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorRequestHandler, Router } from "express";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { Admission, type Caller } from "../admission/admission";
import type { Refusal } from "../admission/refusal";
import { sendRefusal } from "../admission/refusal-answer";
import { DAY_MS } from "../domain/rules/time";
import { ACCEPTED_ENCODINGS, ACCEPTED_TYPES, type Content, type ContentFormat, contentOf } from "../intake/content";
import { type KnownEventTypes, settled } from "../intake/known-types";
import { CONTRACT_LIMITS, type IntakeLimits } from "../intake/limits";
import { takeBody } from "../intake/take-body";
import type { IntakeProblem, IntakeRules, RejectedEvent, Taken, TakenEvents } from "../intake/taken";
import { InflateError, inflateAsync, STRANGERS_WINDOW_LOG } from "../io/formats/compression/inflate";
import { type DeadLetters, type EventLog, type ReceiptStamps, type Stamp, StoreUnavailableError } from "../io/ports";
import { InFlight, type Place } from "./in-flight";
import { IngestMetrics } from "./ingest-metrics";
import { PIXEL, PIXEL_HEADERS, PIXEL_PATH, PIXEL_QUERY_TYPE, pixelEvent } from "./pixel";
import {
  internal,
  malformed,
  methodNotAllowed,
  overloaded,
  PROBLEM_CONTENT_TYPE,
  type Problem,
  problemBody,
  tooLarge,
  unavailable,
  unsupported,
} from "./problem";
import { discardBody, readBody } from "./read-body";
import { SharedAppends } from "./shared-appends";
import { StampBook } from "./stamp-book";
import { storeEvents, storeMalformed } from "./store-events";

export interface IngestLimits extends IntakeLimits {
  /** The bytes of all bodies being handled together; requests beyond the bound get 429. */
  maxInFlightBytes: number;
  /** The number of requests being handled at once; requests beyond the bound get 429. */
  maxInFlightRequests: number;
  /** Events older than this at receipt are `too-old`. */
  rawRetentionMs: number;
  /** The number of remembered receipt stamps (10 minutes each); requests beyond the bound get 429. */
  maxStamps: number;
}

const DEFAULT_INGEST_LIMITS: Readonly<IngestLimits> = {
  ...CONTRACT_LIMITS,
  maxInFlightBytes: 128 << 20,
  maxInFlightRequests: 1_000,
  rawRetentionMs: 30 * DAY_MS,
  maxStamps: 1_000_000,
};

interface IngestDependencies {
  log: EventLog;
  /** The stamps of the last 10 minutes, as the log remembers them. */
  recentStamps: readonly Stamp[];
  /** The store in which several instances agree on stamps; absent: the log keeps them. */
  receiptStamps?: ReceiptStamps;
  deadLetters: DeadLetters;
  /** The event types of the deployment; absent: every type is admitted. */
  eventTypes?: KnownEventTypes;
  /** The judge of who may write; absent: every client may. */
  admission?: Admission;
  /** Returns epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  registry: Registry;
  limits?: Partial<IngestLimits>;
}

export interface IngestApi {
  /**
   * Answers /v1/events and /v1/pixel.gif; every other path falls through. The router needs no body parser, and must be
   * mounted before any.
   */
  router: Router;
  /** Answers a POST to INGEST_PATH, as the router does. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Answers a GET of PIXEL_PATH, as the router does. Never rejects. */
  pixel(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /**
   * Judges the bytes of a dead letter as those of a request. Resolves with undefined when the events are durable.
   * Otherwise the letter stays as it is, and the answer says why the events are refused again. Rejects with
   * StoreUnavailableError.
   */
  again(body: Buffer, contentType: string): Promise<string | undefined>;
  /** Refuses new requests with 503 and resolves when the running requests have their answers. */
  drain(): Promise<void>;
}

type Answer =
  | { kind: "accepted"; accepted: number; rejected: readonly RejectedEvent[] }
  | { kind: "problem"; problem: Problem }
  | { kind: "gone" };

export const INGEST_PATH = "/v1/events";

const ACCEPTED = { Accept: ACCEPTED_TYPES, "Accept-Encoding": ACCEPTED_ENCODINGS };

/** Creates the write API; a registry can have one router only. */
export function createIngestRouter(dependencies: IngestDependencies): IngestApi {
  const limits = { ...DEFAULT_INGEST_LIMITS, ...dependencies.limits };
  const stampBook = new StampBook(limits.maxStamps);
  stampBook.load(dependencies.recentStamps);
  const inFlight = new InFlight(limits);
  const metrics = new IngestMetrics(dependencies.registry, inFlight, stampBook);
  const ingest = new Ingest(dependencies, limits, stampBook, inFlight, metrics);
  const router = Router();
  router.post(INGEST_PATH, (request, response) => ingest.handle(request, response));
  router.all(INGEST_PATH, (_request, response) => ingest.refuse(response, methodNotAllowed("POST")));
  router.get(PIXEL_PATH, (request, response) => ingest.pixel(request, response));
  router.all(PIXEL_PATH, (_request, response) => ingest.refuse(response, methodNotAllowed("GET")));
  const failed: ErrorRequestHandler = (error, _request, response, _next) => ingest.fail(response, error);
  router.use([INGEST_PATH, PIXEL_PATH], failed);
  return {
    router,
    handle: (request, response) => ingest.handle(request, response),
    pixel: (request, response) => ingest.pixel(request, response),
    again: (body, contentType) => ingest.again(body, contentType),
    drain: () => inFlight.drain(),
  };
}

/** Thrown when the body holds an event type that the key may not send. */
class ForbiddenTypeError extends Error {
  override readonly name = "ForbiddenTypeError";

  constructor(readonly refusal: Refusal) {
    super(refusal.detail);
  }
}

const ANSWERED = Promise.resolve();

/** Events that are replayed may have every type. */
const EVERY_TYPE: Pick<Caller, "mayType"> = { mayType: () => undefined };

class Ingest {
  private readonly admission: Admission;
  private readonly shared: SharedAppends;

  constructor(
    private readonly dependencies: IngestDependencies,
    private readonly limits: IngestLimits,
    private readonly stampBook: StampBook,
    private readonly inFlight: InFlight,
    private readonly metrics: IngestMetrics,
  ) {
    this.admission = dependencies.admission ?? new Admission({ clock: dependencies.clock });
    this.shared = new SharedAppends(dependencies.log, stampBook);
  }

  /**
   * Handles one POST, from its headers to its answer. Never rejects. A request that admission refuses is answered at
   * once: it takes no place among those being handled, and its body is not read.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    try {
      const verdict = this.admission.judge(request, "write");
      if (verdict.kind === "admitted") return this.handleAdmitted(request, response, verdict.caller, startedMs);
      discardBody(request);
      this.turnAway(response, verdict.refusal);
    } catch (error) {
      this.fail(response, error);
    }
    this.metrics.turnedAway(response.statusCode, (performance.now() - startedMs) / 1000);
    return ANSWERED;
  }

  private async handleAdmitted(
    request: IncomingMessage,
    response: ServerResponse,
    caller: Caller,
    startedMs: number,
  ): Promise<void> {
    let format: ContentFormat | "none" = "none";
    const place = this.inFlight.draining ? undefined : this.inFlight.enter();
    try {
      let answer: Answer;
      const content = contentOf(request.headers);
      if (this.inFlight.draining) answer = refused(unavailable("the server is shutting down"));
      else if (place === undefined) answer = refused(overloaded("too many requests are being handled"));
      else if ("unsupported" in content) answer = refused(unsupported(content.unsupported, ACCEPTED));
      else {
        format = content.content.format;
        answer = await this.ingest(request, content.content, place, caller);
      }
      tellLimits(response, caller);
      discardBody(request);
      this.answer(response, answer);
    } catch (error) {
      this.fail(response, error);
    } finally {
      place?.leave();
      this.metrics.answered(response.statusCode, format, (performance.now() - startedMs) / 1000);
    }
  }

  /** Reads the body within the bounds of its place, decompresses it, and stores its events. */
  private async ingest(request: IncomingMessage, content: Content, place: Place, caller: Caller): Promise<Answer> {
    const { maxBodyBytes } = this.limits;
    const tooManyBytes = `a body holds at most ${maxBodyBytes} bytes, after decompression too`;
    const read = await readBody(request, maxBodyBytes, place);
    if (read.kind === "gone") return read;
    if (read.kind === "too-large") return refused(tooLarge(tooManyBytes));
    if (read.kind === "overloaded") return refused(overloaded("too many bytes are being handled"));
    const inflated = await this.inflated(read.bytes, content.encoding);
    if (inflated === "too-large") return refused(tooLarge(tooManyBytes));
    if ("corrupt" in inflated) return refused(malformed(inflated.corrupt));
    const { body } = inflated;
    if (body !== read.bytes && !place.grow(body.length)) return refused(overloaded("too many bytes are being handled"));
    this.metrics.body(content.format, body.length);
    return this.store(body, content, caller, read.bytes.length);
  }

  /** Undoes all of the Content-Encoding. A decompression bomb never takes more memory than a body may. */
  private async inflated(
    body: Buffer,
    encoding: Content["encoding"],
  ): Promise<{ body: Buffer } | { corrupt: string } | "too-large"> {
    if (encoding === "identity") return { body };
    try {
      const bounds = { maxBytes: this.limits.maxBodyBytes, maxWindowLog: STRANGERS_WINDOW_LOG };
      return { body: await inflateAsync(body, encoding, bounds) };
    } catch (error) {
      if (!(error instanceof InflateError)) throw error;
      return error.kind === "too-large"
        ? "too-large"
        : { corrupt: `the body is no ${encoding} stream: ${error.message}` };
    }
  }

  /** Judges the events of a body and makes them durable; the answer says which were refused. */
  private async store(body: Buffer, content: Content, caller: Caller, sentBytes: number): Promise<Answer> {
    const receivedAtMs = this.dependencies.clock();
    const taken = await this.taken(body, content, this.rulesAt(receivedAtMs), caller);
    if (taken === undefined) return refused(unavailable("the event types cannot be asked for now"));
    if (taken.kind === "forbidden") return refused(taken.refusal);
    const events = taken.kind === "events" ? taken.columns.count + taken.rejected.length : 1;
    return this.paid(caller, events, sentBytes, async () => {
      switch (taken.kind) {
        case "stamps-full":
          return refused(overloaded("too many events without a time came in the last 10 minutes"));
        case "problem":
          return this.refuseWhole(taken, receivedAtMs, content.format);
        case "events": {
          const stores = { ...this.dependencies, stampBook: this.stampBook, shared: this.shared };
          const problem = await storeEvents(taken, stores);
          if (problem !== undefined) return refused(problem);
          this.metrics.stored(content.format, taken.columns.count, taken.rejected);
          return { kind: "accepted", accepted: taken.columns.count, rejected: taken.rejected };
        }
        default:
          return taken satisfies never;
      }
    });
  }

  /**
   * Runs `work` once the caller has paid for it. The payment is taken back where this server is to blame that nothing
   * of the request is stored: the client sends the request again, and pays again.
   */
  private async paid(caller: Caller, events: number, bytes: number, work: () => Promise<Answer>): Promise<Answer> {
    const limited = caller.settle(events, bytes);
    if (limited !== undefined) return refused(limited);
    let answer: Answer | undefined;
    try {
      answer = await work();
      return answer;
    } finally {
      if (answer === undefined || isOurs(answer)) caller.giveBack(events, bytes);
    }
  }

  /**
   * Judges the events. Resolves with undefined where an event has a type that is new to this instance and the store of
   * event types is away. The key's types are judged before the deployment's, so that a forbidden type takes no place
   * among them.
   */
  private async taken(
    body: Buffer,
    content: Content,
    rules: IntakeRules,
    caller: Pick<Caller, "mayType">,
  ): Promise<Taken | { kind: "forbidden"; refusal: Refusal } | undefined> {
    try {
      return await settled(this.dependencies.eventTypes, (rule) => {
        const taken = takeBody(body, content, { ...rules, ...rule });
        const refusal = taken.kind === "events" ? caller.mayType(usedTypes(taken.columns)) : undefined;
        if (refusal !== undefined) throw new ForbiddenTypeError(refusal);
        return taken;
      });
    } catch (error) {
      if (error instanceof StoreUnavailableError) return undefined;
      if (error instanceof ForbiddenTypeError) return { kind: "forbidden", refusal: error.refusal };
      throw error;
    }
  }

  /**
   * Refuses a whole request. The client has to split a body that is too large; a body that cannot be read is kept as a
   * dead letter. An empty body has no bytes to keep.
   */
  private async refuseWhole(whole: IntakeProblem, receivedAtMs: number, format: ContentFormat): Promise<Answer> {
    const { reason, detail, payload, contentType } = whole;
    if (reason === "too-large") return refused(tooLarge(detail));
    if (payload.byteLength > 0) {
      const letter = { receivedAtMs, reason, detail, payload, contentType };
      const problem = await storeMalformed(letter, this.dependencies);
      if (problem !== undefined) return refused(problem);
      this.metrics.stored(format, 0, [{ reason }]);
    }
    return refused(malformed(detail, reason));
  }

  private answer(response: ServerResponse, answer: Answer): void {
    if (answer.kind === "gone" || response.destroyed) return;
    if (answer.kind === "problem") {
      this.refuse(response, answer.problem);
      return;
    }
    const rejected = answer.rejected.map(({ index, eventId, reason, detail }) => ({ index, eventId, reason, detail }));
    send(response, 202, JSON_HEADERS, JSON.stringify({ accepted: answer.accepted, rejected }));
  }

  refuse(response: ServerResponse, problem: Problem): void {
    if (response.headersSent || response.destroyed) return;
    const instance = `urn:uuid:${randomUUID()}`;
    if (problem.status >= 500) this.dependencies.logger.warn({ instance, problem }, "request refused");
    const headers = { "Content-Type": PROBLEM_CONTENT_TYPE, "Cache-Control": "no-store", ...problem.headers };
    send(response, problem.status, headers, problemBody(problem, instance));
  }

  /** Answers a request that admission refuses. */
  private turnAway(response: ServerResponse, refusal: Refusal): void {
    if (response.headersSent || response.destroyed) return;
    const instance = sendRefusal(response, refusal);
    if (refusal.status >= 500) this.dependencies.logger.warn({ instance, problem: refusal }, "request refused");
  }

  /** Answers an unforeseen failure: the log gets the whole error, the client no detail. */
  fail(response: ServerResponse, error: unknown): void {
    this.dependencies.logger.error({ err: error }, "request failed");
    this.refuse(response, internal());
  }

  async again(body: Buffer, contentType: string): Promise<string | undefined> {
    const found = contentOf({ "content-type": contentType });
    if ("unsupported" in found) return found.unsupported;
    const taken = await this.taken(body, found.content, this.rulesAt(this.dependencies.clock()), EVERY_TYPE);
    if (taken === undefined) throw new StoreUnavailableError("the event types cannot be asked for now");
    if (taken.kind === "stamps-full") throw new StoreUnavailableError("too many events without a time came");
    if (taken.kind === "forbidden") return taken.refusal.detail;
    if (taken.kind === "problem") return `${taken.reason}: ${taken.detail}`;
    const [refusal] = taken.rejected;
    if (refusal !== undefined) return `${refusal.reason}: ${refusal.detail}`;
    if (taken.columns.count === 0) return "it holds no event";
    const problem = await storeEvents(taken, { ...this.dependencies, stampBook: this.stampBook, shared: this.shared });
    if (problem !== undefined) throw new StoreUnavailableError(problem.detail);
    this.metrics.stored(found.content.format, taken.columns.count, []);
    return undefined;
  }

  /**
   * Handles one GET whose address is an event; the event of a HEAD is not looked at. Never rejects. As of a POST, a
   * refused request takes no place among those being handled.
   */
  pixel(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    try {
      const verdict = request.method === "HEAD" ? undefined : this.admission.judge(request, "write");
      if (verdict?.kind !== "refused") return this.pixelAdmitted(request, response, verdict?.caller, startedMs);
      this.turnAway(response, verdict.refusal);
    } catch (error) {
      this.fail(response, error);
    }
    this.metrics.answered(response.statusCode, "json", (performance.now() - startedMs) / 1000);
    return ANSWERED;
  }

  /** `caller`: absent for a HEAD. */
  private async pixelAdmitted(
    request: IncomingMessage,
    response: ServerResponse,
    caller: Caller | undefined,
    startedMs: number,
  ): Promise<void> {
    const place = this.inFlight.draining ? undefined : this.inFlight.enter();
    try {
      if (caller !== undefined && place === undefined) tellLimits(response, caller);
      if (this.inFlight.draining) this.refuse(response, unavailable("the server is shutting down"));
      else if (place === undefined) this.refuse(response, overloaded("too many requests are being handled"));
      else if (caller === undefined) send(response, 200, PIXEL_HEADERS, PIXEL);
      else await this.countPixel(request, response, caller);
    } catch (error) {
      this.fail(response, error);
    } finally {
      place?.leave();
      this.metrics.answered(response.statusCode, "json", (performance.now() - startedMs) / 1000);
    }
  }

  private async countPixel(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    const event = pixelEvent(new URL(request.url ?? "", "http://pixel").search.slice(1));
    if (event.kind === "undecodable") {
      const { member, payload } = event;
      const detail = `${member} is no UTF-8 text`;
      const whole = { kind: "problem", reason: "not-json", detail, payload, contentType: PIXEL_QUERY_TYPE } as const;
      const answer = await this.paid(caller, 1, payload.length, () =>
        this.refuseWhole(whole, this.dependencies.clock(), "json"),
      );
      tellLimits(response, caller);
      this.answer(response, answer);
      return;
    }
    const { body } = event;
    const answer = await this.store(body, { format: "json", encoding: "identity" }, caller, body.length);
    tellLimits(response, caller);
    if (answer.kind !== "accepted") this.answer(response, answer);
    else if (answer.rejected[0] === undefined) send(response, 200, PIXEL_HEADERS, PIXEL);
    else this.refuse(response, malformed(answer.rejected[0].detail, answer.rejected[0].reason));
  }

  private rulesAt(receivedAtMs: number): IntakeRules {
    const { stampBook, limits } = this;
    const { rawRetentionMs } = limits;
    const untimed = { kind: "stamp", stampOf: (key: string, nowMs: number) => stampBook.stampOf(key, nowMs) } as const;
    return { receivedAtMs, rawRetentionMs, limits, untimed };
  }
}

/** Yields the types of a batch's events; the batch may list more. With a single type no event needs a look. */
function* usedTypes({ types, typeIndex, count }: TakenEvents["columns"]): Iterable<string> {
  if (types.length <= 1) yield* types;
  else for (const index of new Set(typeIndex.subarray(0, count))) yield types[index]!;
}

function tellLimits(response: ServerResponse, caller: Caller): void {
  for (const [name, value] of Object.entries(caller.headers())) response.setHeader(name, value);
}

const refused = (problem: Problem): Answer => ({ kind: "problem", problem });

/** Whether the same request can be accepted later. */
const isOurs = (answer: Answer): boolean =>
  answer.kind === "problem" && (answer.problem.kind === "overloaded" || answer.problem.kind === "unavailable");

const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store" };

/** A body that is text is written together with the header, in one call of the system. */
function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string | Buffer): void {
  const fields: string[] = [];
  for (const name in headers) fields.push(name, headers[name]!);
  fields.push("Content-Length", String(Buffer.byteLength(body)));
  response.writeHead(status, fields);
  response.end(body);
}
