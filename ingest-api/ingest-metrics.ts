// SPDX-License-Identifier: Apache-2.0
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RejectionReason } from "../domain/rejection";
import type { ContentFormat } from "../intake/content";
import type { InFlight } from "./in-flight";
import type { StampBook } from "./stamp-book";

/** The upper bound of the first bucket of latencies. */
const FIRST_BUCKET_S = 0.002;
const MOST_AWAY = 1_000;

/**
 * The four golden signals of the write path (latency, traffic, errors, saturation), on the given registry. `Ingest`
 * measures every request with it.
 */
export class IngestMetrics {
  private readonly requests: Counter<"status" | "format">;
  /** The answers that are not in the metrics yet, by format and status: prom-client would hash the labels of each. */
  private readonly answers = new Map<ContentFormat | "none", Map<number, number>>();
  private readonly seconds: Histogram;
  private readonly accepted: Sums<ContentFormat>;
  private readonly rejected: Counter<"reason">;
  private readonly bodyBytes: Sums<ContentFormat>;
  /**
   * The requests that were turned away and are not in the metrics yet, by status. They are put in together, because
   * putting in each took a twentieth of what a refused request costs.
   */
  private readonly away = new Map<number, { requests: number; seconds: number }>();

  constructor(registry: Registry, inFlight: InFlight, stampBook: StampBook) {
    const registers = [registry];
    this.requests = new Counter({
      name: "viewmill_ingest_requests_total",
      help: "Requests to the write API by status and body format",
      labelNames: ["status", "format"],
      registers,
      collect: () => this.collectAnswers(),
    });
    this.seconds = new Histogram({
      name: "viewmill_ingest_request_seconds",
      help: "From the first byte of a request to its answer",
      buckets: [FIRST_BUCKET_S, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
      collect: () => this.collectAway(),
    });
    this.accepted = sumsByFormat("viewmill_ingest_accepted_events_total", "Events answered as accepted", registers);
    this.rejected = new Counter({
      name: "viewmill_ingest_rejected_events_total",
      help: "Events refused, by reason",
      labelNames: ["reason"],
      registers,
    });
    this.bodyBytes = sumsByFormat("viewmill_ingest_body_bytes_total", "Bytes of decoded bodies", registers);
    saturation(registers, inFlight, stampBook);
  }

  answered(status: number, format: ContentFormat | "none", seconds: number): void {
    this.count(status, format, 1);
    this.seconds.observe(seconds);
  }

  private count(status: number, format: ContentFormat | "none", requests: number): void {
    let answers = this.answers.get(format);
    if (answers === undefined) {
      answers = new Map();
      this.answers.set(format, answers);
    }
    answers.set(status, (answers.get(status) ?? 0) + requests);
  }

  private collectAnswers(): void {
    this.collectAway();
    for (const [format, answers] of this.answers)
      for (const [status, requests] of answers) this.requests.inc({ status: String(status), format }, requests);
    this.answers.clear();
  }

  /** As `answered`, of a request that admission refused before its format was looked at. */
  turnedAway(status: number, seconds: number): void {
    if (seconds > FIRST_BUCKET_S) {
      this.answered(status, "none", seconds);
      return;
    }
    let away = this.away.get(status);
    if (away === undefined) {
      away = { requests: 0, seconds: 0 };
      this.away.set(status, away);
    }
    away.requests++;
    away.seconds += seconds;
    if (away.requests >= MOST_AWAY) this.collectAway();
  }

  /** All of these requests are in the first bucket, so that their mean stands for each. */
  private collectAway(): void {
    for (const [status, { requests, seconds }] of this.away) {
      this.count(status, "none", requests);
      for (let n = 0; n < requests; n++) this.seconds.observe(seconds / requests);
    }
    this.away.clear();
  }

  body(format: ContentFormat, bytes: number): void {
    this.bodyBytes.add(format, bytes);
  }

  stored(format: ContentFormat, accepted: number, rejected: readonly { reason: RejectionReason }[]): void {
    if (accepted > 0) this.accepted.add(format, accepted);
    for (const { reason } of rejected) this.rejected.inc({ reason });
  }
}

/** Sums by key that are taken out together. */
class Sums<Key> {
  readonly #sums = new Map<Key, number>();

  add(key: Key, more: number): void {
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + more);
  }

  *takeAll(): Iterable<[Key, number]> {
    yield* this.#sums;
    this.#sums.clear();
  }
}

/** Registers a counter by format, which gets what was added to the sums when the metrics are read. */
function sumsByFormat(name: string, help: string, registers: Registry[]): Sums<ContentFormat> {
  const sums = new Sums<ContentFormat>();
  const counter: Counter<"format"> = new Counter({
    ...{ name, help, registers, labelNames: ["format"] },
    collect: () => {
      for (const [format, more] of sums.takeAll()) counter.inc({ format }, more);
    },
  });
  return sums;
}

function saturation(registers: Registry[], inFlight: InFlight, stampBook: StampBook): void {
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("viewmill_ingest_in_flight_requests", "Requests being handled", () => inFlight.requests);
  gauge("viewmill_ingest_in_flight_bytes", "Bytes of the bodies being handled", () => inFlight.bytes);
  gauge("viewmill_ingest_stamps", "Receipt stamps remembered", () => stampBook.size);
}
