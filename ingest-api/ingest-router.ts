import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorRequestHandler, Router } from "express";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { DeadLetters, EventLog, Stamp } from "../io/ports";
import { type BodyFormat, type BodyShape, bodyShape } from "./body-format";
import { decodeBatchMessage } from "./decode-batch";
import { decodeCloudEvents } from "./decode-cloudevents";
import { decodeJson } from "./decode-json";
import { decodeNdjson } from "./decode-ndjson";
import type { DecodeContext, DecodedBody, RejectedEvent } from "./decoded-body";
import { InFlight, type Place } from "./in-flight";
import { inflateBody } from "./inflate-body";
import { IngestMetrics } from "./ingest-metrics";
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
} from "./problem";
import { discardBody, readBody } from "./read-body";
import { StampBook } from "./stamp-book";
import { storeEvents, storeMalformed } from "./store-events";

export interface IngestLimits {
  /** Of a body after Content-Encoding is undone (and before). */
  maxBodyBytes: number;
  maxEvents: number;
  /** Of one event; larger ones are rejected as `too-large`. */
  maxEventBytes: number;
  /** Bytes of all bodies being handled together; beyond it 429. */
  maxInFlightBytes: number;
  /** Requests being handled at once; beyond it 429. */
  maxInFlightRequests: number;
  /** Events older than this at receipt are `too-old`. */
  rawRetentionMs: number;
  /** Receipt stamps remembered (10 minutes each); beyond it 429. */
  maxStamps: number;
}

export const DEFAULT_INGEST_LIMITS: Readonly<IngestLimits> = {
  maxBodyBytes: 8 << 20,
  maxEvents: 10_000,
  maxEventBytes: 64 << 10,
  maxInFlightBytes: 128 << 20,
  maxInFlightRequests: 1_000,
  rawRetentionMs: 30 * 86_400_000,
  maxStamps: 1_000_000,
};

export interface IngestDependencies {
  log: EventLog;
  /** Stamps given in the last 10 minutes, as the log remembers them. */
  recentStamps: readonly Stamp[];
  deadLetters: DeadLetters;
  /** Epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  registry: Registry;
  limits?: Partial<IngestLimits>;
}

export interface IngestApi {
  /** Answers /v1/events; every other path falls through. Needs no body parser, and must come before any. */
  router: Router;
  /** Refuses new requests with 503 and resolves when the running ones have their answers. */
  drain(): Promise<void>;
}

type Answer =
  | { kind: "accepted"; accepted: number; rejected: readonly RejectedEvent[] }
  | { kind: "problem"; problem: Problem }
  | { kind: "gone" };

export const INGEST_PATH = "/v1/events";

/** The write API. One router a registry. */
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
  const failed: ErrorRequestHandler = (error, _request, response, _next) => ingest.fail(response, error);
  router.use(INGEST_PATH, failed);
  return { router, drain: () => inFlight.drain() };
}

class Ingest {
  constructor(
    private readonly dependencies: IngestDependencies,
    private readonly limits: IngestLimits,
    private readonly stampBook: StampBook,
    private readonly inFlight: InFlight,
    private readonly metrics: IngestMetrics,
  ) {}

  /** One POST, from its headers to its answer. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = process.hrtime.bigint();
    let format: BodyFormat | "none" = "none";
    const place = this.inFlight.draining ? undefined : this.inFlight.enter();
    try {
      let answer: Answer;
      const shape = bodyShape(request.headers);
      if (this.inFlight.draining) answer = refused(unavailable("the server is shutting down"));
      else if (place === undefined) answer = refused(overloaded("too many requests are being handled"));
      else if ("problem" in shape) answer = refused(shape.problem);
      else {
        format = shape.shape.format;
        answer = await this.ingest(request, shape.shape, place);
      }
      discardBody(request);
      this.answer(response, answer);
    } catch (error) {
      this.fail(response, error);
    } finally {
      place?.leave();
      this.metrics.answered(response.statusCode, format, Number(process.hrtime.bigint() - started) / 1e9);
    }
  }

  refuse(response: ServerResponse, problem: Problem): void {
    if (response.headersSent || response.destroyed) return;
    const instance = `urn:uuid:${randomUUID()}`;
    if (problem.status >= 500) this.dependencies.logger.warn({ instance, problem }, "request refused");
    const headers = { "Content-Type": PROBLEM_CONTENT_TYPE, "Cache-Control": "no-store", ...problem.headers };
    send(response, problem.status, headers, problemBody(problem, instance));
  }

  /** A failure nobody foresaw: logged whole, answered without its inside. */
  fail(response: ServerResponse, error: unknown): void {
    this.dependencies.logger.error({ err: error }, "request failed");
    this.refuse(response, internal());
  }

  private answer(response: ServerResponse, answer: Answer): void {
    if (answer.kind === "gone" || response.destroyed) return;
    if (answer.kind === "problem") {
      this.refuse(response, answer.problem);
      return;
    }
    const rejected = answer.rejected.map(({ index, eventId, reason, detail }) => ({ index, eventId, reason, detail }));
    const body = JSON.stringify({ accepted: answer.accepted, rejected });
    send(response, 202, { "Content-Type": "application/json", "Cache-Control": "no-store" }, body);
  }

  private async ingest(request: IncomingMessage, shape: BodyShape, place: Place): Promise<Answer> {
    const { maxBodyBytes } = this.limits;
    const tooManyBytes = `a body holds at most ${maxBodyBytes} bytes, after decompression too`;
    const read = await readBody(request, maxBodyBytes, place);
    if (read.kind === "gone") return read;
    if (read.kind === "too-large") return refused(tooLarge(tooManyBytes));
    if (read.kind === "overloaded") return refused(overloaded("too many bytes are being handled"));
    const inflated = await inflateBody(read.bytes, shape.encoding, maxBodyBytes);
    if (inflated.kind === "too-large") return refused(tooLarge(tooManyBytes));
    if (inflated.kind === "corrupt") return refused(malformed(inflated.detail));
    const body = inflated.bytes;
    if (body !== read.bytes && !place.grow(body.length)) return refused(overloaded("too many bytes are being handled"));
    this.metrics.body(shape.format, body.length);
    return this.store(body, shape);
  }

  private async store(body: Buffer, shape: BodyShape): Promise<Answer> {
    const receivedAtMs = this.dependencies.clock();
    const decoded = decode(body, shape.format, this.contextAt(receivedAtMs));
    const stores = { ...this.dependencies, stampBook: this.stampBook };
    switch (decoded.kind) {
      case "too-many-events":
        return refused(tooLarge(decoded.detail));
      case "stamps-full":
        return refused(overloaded("too many events without a time came in the last 10 minutes"));
      case "malformed": {
        const { reason, detail } = decoded;
        // An empty body has nothing to keep.
        if (body.length > 0) {
          const letter = { receivedAtMs, reason, detail, payload: body, contentType: shape.contentType };
          const problem = await storeMalformed(letter, stores);
          if (problem !== undefined) return refused(problem);
          this.metrics.stored(shape.format, 0, [{ reason }]);
        }
        return refused(malformed(detail, reason));
      }
      case "events": {
        const problem = await storeEvents(decoded, receivedAtMs, stores);
        if (problem !== undefined) return refused(problem);
        this.metrics.stored(shape.format, decoded.columns.count, decoded.rejected);
        return { kind: "accepted", accepted: decoded.columns.count, rejected: decoded.rejected };
      }
      default:
        return decoded satisfies never;
    }
  }

  private contextAt(receivedAtMs: number): DecodeContext {
    const { rawRetentionMs, maxEvents, maxEventBytes } = this.limits;
    return { rules: { receivedAtMs, rawRetentionMs }, stampBook: this.stampBook, maxEvents, maxEventBytes };
  }
}

function decode(body: Buffer, format: BodyFormat, context: DecodeContext): DecodedBody {
  switch (format) {
    case "json":
      return decodeJson(body, context);
    case "ndjson":
      return decodeNdjson(body, context);
    case "cloudevent":
      return decodeCloudEvents(body, false, context);
    case "cloudevents-batch":
      return decodeCloudEvents(body, true, context);
    case "batch":
      return decodeBatchMessage(body, context);
    default:
      return format satisfies never;
  }
}

const refused = (problem: Problem): Answer => ({ kind: "problem", problem });

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}
