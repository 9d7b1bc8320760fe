// SPDX-License-Identifier: Apache-2.0
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { RejectionReason } from "../domain/rejection";
import type { ContentFormat } from "../intake/content";
import type { InFlight } from "./in-flight";
import type { StampBook } from "./stamp-book";

/**
 * The four golden signals of the write path (latency, traffic, errors, saturation), on the given registry. `Ingest`
 * measures every request with it.
 */
export class IngestMetrics {
  private readonly requests: Counter<"status" | "format">;
  /** The counters of each status and format, which prom-client would look up by their labels at every request. */
  private readonly answers = new Map<string, { inc(): void }>();
  private readonly seconds: Histogram;
  private readonly accepted: Counter<"format">;
  private readonly rejected: Counter<"reason">;
  private readonly bodyBytes: Counter<"format">;

  constructor(registry: Registry, inFlight: InFlight, stampBook: StampBook) {
    const registers = [registry];
    this.requests = new Counter({
      name: "viewmill_ingest_requests_total",
      help: "Requests to the write API by status and body format",
      labelNames: ["status", "format"],
      registers,
    });
    this.seconds = new Histogram({
      name: "viewmill_ingest_request_seconds",
      help: "From the first byte of a request to its answer",
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
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
    const labels = `${status} ${format}`;
    let answers = this.answers.get(labels);
    if (answers === undefined) {
      answers = this.requests.labels({ status: String(status), format });
      this.answers.set(labels, answers);
    }
    answers.inc();
    this.seconds.observe(seconds);
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
