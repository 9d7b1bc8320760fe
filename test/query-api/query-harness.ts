// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import pino from "pino";
import { Registry } from "prom-client";
import request from "supertest";
import { embeddedGauges } from "../../cli/programs/log-gauges";
import type { ApplyOptions, CounterStore } from "../../io/ports";
import { CATALOG_FILE, SqliteCatalog } from "../../io/sqlite/catalog";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import { SqliteDeadLetters } from "../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../io/sqlite/event-log";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { SqliteCounterReader } from "../../io/sqlite/reader-thread";
import { createQueryApi, type QueryDependencies, type Readiness } from "../../query-api";
import { asMinuteCounts } from "../io/ports/counter-model";

export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;
/** 20 s into a minute. */
export const NOW_MS = Date.parse("2026-11-21T12:00:20Z");
export const FINAL_AFTER_MS = HOUR;
export const RAW_RETENTION_MS = 30 * DAY;

export const iso = (timeMs: number): string => new Date(timeMs).toISOString();

/** The real router over the real SQLite stores; the clock and the readiness are fields. */
export class QueryHarness {
  nowMs = NOW_MS;
  /** How far the clock that only goes forward is ahead: as much as `nowMs` was put back. */
  aheadMs = 0;
  readiness: () => Promise<Readiness[]> = async () => [{ name: "log", ok: true, detail: "event log" }];
  readonly registry = new Registry();
  readonly stopping = new AbortController();
  readonly logged: string[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "viewmill-query-"));
  /** Where `count` counts. */
  counters: CounterStore = new SqliteCounterStore({ folder: this.folder });
  readonly reader = new SqliteCounterReader({ folder: this.folder });
  readonly ledger = new SqliteLedger({ folder: this.folder });
  readonly deadLetters = new SqliteDeadLetters({ folder: this.folder });
  progress!: SqliteLogProgress;
  readonly catalog = new SqliteCatalog(join(this.folder, CATALOG_FILE));
  log!: SqliteEventLog;
  #ownsLog = true;
  app = express();

  /** `log`: one that somebody else opened and closes. */
  static async start(
    overrides: (harness: QueryHarness) => Partial<QueryDependencies> = () => ({}),
    log?: SqliteEventLog,
  ) {
    const harness = new QueryHarness();
    harness.#ownsLog = log === undefined;
    harness.log = log ?? (await SqliteEventLog.open({ folder: harness.folder }));
    harness.progress = new SqliteLogProgress(harness.log, harness.ledger, harness.ledger);
    harness.app.use(
      createQueryApi({
        counters: harness.reader,
        catalog: harness.catalog,
        ledger: harness.ledger,
        progress: harness.progress,
        gauges: embeddedGauges(harness.log, harness.ledger, () => harness.nowMs),
        deadLetters: harness.deadLetters,
        clock: () => harness.nowMs,
        tick: () => harness.nowMs + harness.aheadMs,
        logger: pino({ level: "warn" }, { write: (line) => void harness.logged.push(line) }),
        registry: harness.registry,
        readiness: () => harness.readiness(),
        stopping: harness.stopping.signal,
        finalAfterMs: FINAL_AFTER_MS,
        rawRetentionMs: RAW_RETENTION_MS,
        ...overrides(harness),
      }).router,
    );
    return harness;
  }

  async stop(): Promise<void> {
    if (this.#ownsLog) await this.log.close();
    await this.deadLetters.close();
    await this.reader.close();
    await this.catalog.close();
    await this.counters.close();
    await this.ledger.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get(path: string, headers: Record<string, string> = {}) {
    return request(this.app).get(path).set(headers);
  }

  put(path: string, lines: readonly unknown[]) {
    return request(this.app)
      .put(path)
      .type("application/x-ndjson")
      .send(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  }

  query(body: unknown) {
    return request(this.app)
      .post("/v1/query")
      .send(body as object);
  }

  /** `valued`: events that have a value; default: all where there is a sum. */
  async count(
    video: string,
    timeMs: number,
    count: number,
    sum = 0n,
    type = "VIEW",
    valued = sum === 0n ? 0 : count,
    options: ApplyOptions = {},
  ): Promise<void> {
    const minute = Math.floor(timeMs / MINUTE);
    const last = timeMs - minute * MINUTE;
    await this.counters.apply(
      asMinuteCounts([{ minute, video, type, count, sum, valued, last, correction: 0 }]),
      options,
    );
  }

  async audit(fromMs: number, toMs: number): Promise<void> {
    const [fromMinute, toMinute] = [fromMs / MINUTE, toMs / MINUTE];
    const sequences = await this.ledger.changeSequences(fromMinute, toMinute);
    await this.ledger.markAudited({ fromMinute, toMinute, sequences, except: [] });
  }

  /** Appends events that are not counted yet. */
  accept(timeMs: number, events: number): Promise<{ position: number }> {
    return this.log.append({
      payload: new Uint8Array(100),
      events,
      acceptedByMinute: new Map([[Math.floor(timeMs / MINUTE), events]]),
    });
  }
}
