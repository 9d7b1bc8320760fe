// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import pino from "pino";
import { Registry } from "prom-client";
import type { Admission } from "../../admission/admission";
import { eventAt } from "../../domain/columns/event-columns";
import type { RejectionReason } from "../../domain/rejection";
import { DirectRequest } from "../../ingest-api/direct-request";
import { createIngestRouter, type IngestApi, type IngestLimits } from "../../ingest-api/ingest-router";
import type { KnownEventTypes } from "../../intake/known-types";
import { decodeBatch } from "../../io/formats/avro/batch";
import type { DeadLetter, ReceiptStamps } from "../../io/ports";
import { SqliteDeadLetters } from "../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../io/sqlite/event-log";
import type { IngestStores } from "../io/sqlite/emptied-stores";

/** The clock of a test begins at a whole minute of today: the stores forget by the clock of the machine. */
export const NOW_MS = Math.floor(Date.now() / 60_000) * 60_000;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: {
    accepted?: number;
    rejected?: { index: number; eventId: string | null; reason: RejectionReason; detail: string }[];
    reason?: string;
    [name: string]: unknown;
  };
}

export interface HarnessOptions {
  folder?: string;
  /** Stores that somebody else opened and closes. */
  stores?: IngestStores;
  limits?: Partial<IngestLimits>;
  maxBacklogBytes?: number;
  maxDeadLetterBytes?: number;
  receiptStamps?: ReceiptStamps;
  eventTypes?: KnownEventTypes;
  admission?: Admission;
}

async function openStores(options: HarnessOptions): Promise<IngestStores> {
  const { maxBacklogBytes, maxDeadLetterBytes } = options;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "viewmill-ingest-"));
  const log = await SqliteEventLog.open({ folder, ...(maxBacklogBytes === undefined ? {} : { maxBacklogBytes }) });
  const bound = maxDeadLetterBytes === undefined ? {} : { maxBytes: maxDeadLetterBytes };
  return { folder, log, deadLetters: new SqliteDeadLetters({ folder, ...bound }) };
}

/** The real router over the real SQLite stores, behind a real server; the clock is a field. */
export class IngestHarness {
  nowMs = NOW_MS;
  /** The server's log at warn and above. */
  readonly logged: string[] = [];
  readonly registry = new Registry();
  folder!: string;
  log!: SqliteEventLog;
  deadLetters!: SqliteDeadLetters;
  api!: IngestApi;
  server!: Server;
  url!: string;
  private ownsStores = true;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 16 });

  static async start(options: HarnessOptions = {}): Promise<IngestHarness> {
    const harness = new IngestHarness();
    harness.ownsStores = options.stores === undefined;
    Object.assign(harness, options.stores ?? (await openStores(options)));
    harness.api = createIngestRouter({
      log: harness.log,
      recentStamps: await harness.log.recentStamps(harness.nowMs),
      ...(options.receiptStamps === undefined ? {} : { receiptStamps: options.receiptStamps }),
      deadLetters: harness.deadLetters,
      clock: () => harness.nowMs,
      logger: pino({ level: "warn" }, { write: (line) => void harness.logged.push(line) }),
      registry: harness.registry,
      ...(options.eventTypes === undefined ? {} : { eventTypes: options.eventTypes }),
      ...(options.admission === undefined ? {} : { admission: options.admission }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    const app = express();
    app.use(harness.api.router);
    harness.server = createServer({ optimizeEmptyRequests: true, IncomingMessage: DirectRequest }, app);
    await new Promise<void>((resolve) => harness.server.listen(0, "127.0.0.1", resolve));
    harness.url = `http://127.0.0.1:${(harness.server.address() as AddressInfo).port}`;
    return harness;
  }

  /** Stops the server and closes the stores; the folder stays when `keep`. */
  async stop(keep = false): Promise<void> {
    this.agent.destroy();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    if (!this.ownsStores) return;
    await this.log.close();
    await this.deadLetters.close();
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }

  post(
    body: string | Uint8Array,
    headers: Record<string, string> = { "Content-Type": "application/json" },
    method = "POST",
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.from(body as Uint8Array);
      const options = { agent: this.agent, method, headers: { ...headers, "Content-Length": bytes.length } };
      const request = httpRequest(`${this.url}/v1/events`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("error", reject);
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const parsed = text === "" ? {} : (JSON.parse(text) as Answer["body"]);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed });
        });
      });
      request.on("error", reject);
      request.end(bytes);
    });
  }

  /** Every event in the log, in order. */
  async events(): Promise<(ReturnType<typeof eventAt> & { receivedAtMs: number })[]> {
    const found: (ReturnType<typeof eventAt> & { receivedAtMs: number })[] = [];
    for (let after = 0; ; ) {
      const entries = await this.log.read(after, 1000, 64 << 20);
      if (entries.length === 0) return found;
      for (const entry of entries) {
        const { columns, receivedAtMs } = decodeBatch(entry.payload);
        expect(columns.count).toBe(entry.events);
        for (let row = 0; row < columns.count; row++) found.push({ ...eventAt(columns, row), receivedAtMs });
        after = entry.position;
      }
    }
  }

  async letters(): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    for (let afterId = "0"; ; afterId = found.at(-1)!.id) {
      const some = await this.deadLetters.list({ afterId, limit: 1000 });
      if (some.length === 0) return found;
      found.push(...some);
    }
  }
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

let nextId = 0;
/** A good event as JSON value, with changes. */
export function event(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { eventId: `event-${nextId++}`, videoId: "video-1", eventType: "VIEW", eventTime: NOW_MS - 1000, ...changes };
}
