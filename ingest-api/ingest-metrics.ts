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
  /** The counters of each status and format, which prom-client would look up by their labels at every request. */
  private readonly answers = new Map<string, { inc(requests: number): void }>();
  private readonly seconds: Histogram;
  private readonly accepted: Counter<"format">;
  private readonly rejected: Counter<"reason">;
  private readonly bodyBytes: Counter<"format">;
  /**
   * The requests that were turned away and are not in the metrics yet, by status. They are put in together, because
   * putting in each took a twentieth of what a refused request costs.
   */
  private readonly away = new Map<number, { requests: number; seconds: number }>();

  constructor(registry: Registry, inFlight: InFlight, stampBook: StampBook) {
    const registers = [registry];
    const collect = () => this.collectAway();
    this.requests = new Counter({
      name: "viewmill_ingest_requests_total",
      help: "Requests to the write API by status and body format",
      labelNames: ["status", "format"],
      registers,
      collect,
    });
    this.seconds = new Histogram({
      name: "viewmill_ingest_request_seconds",
      help: "From the first byte of a request to its answer",
      buckets: [FIRST_BUCKET_S, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
      collect,
    });
    this.accepted = new Counter({
      name: "viewmill_ingest_accepted_events_total",
      help: "Events answered as accepted",
      labelNames: ["format"],
      registers,
    });
    this.rejected = new Counter({
      name: "viewmill_ingest_rejected_events_total",
      help: "Events refused, by reason",
      labelNames: ["reason"],
      registers,
    });
    this.bodyBytes = new Counter({
      name: "viewmill_ingest_body_bytes_total",
      help: "Bytes of decoded bodies",
      labelNames: ["format"],
      registers,
    });
    saturation(registers, inFlight, stampBook);
  }

  answered(status: number, format: ContentFormat | "none", seconds: number): void {
    this.count(status, format, 1);
    this.seconds.observe(seconds);
  }

  private count(status: number, format: ContentFormat | "none", requests: number): void {
    const labels = `${status} ${format}`;
    let answers = this.answers.get(labels);
    if (answers === undefined) {
      answers = this.requests.labels({ status: String(status), format });
      this.answers.set(labels, answers);
    }
    answers.inc(requests);
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
    this.bodyBytes.inc({ format }, bytes);
  }

  stored(format: ContentFormat, accepted: number, rejected: readonly { reason: RejectionReason }[]): void {
    if (accepted > 0) this.accepted.inc({ format }, accepted);
    for (const { reason } of rejected) this.rejected.inc({ reason });
  }
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
