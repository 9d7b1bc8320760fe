// SPDX-License-Identifier: Apache-2.0
/** The run of `npm run bench`: which measurements there are, and their order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireSameCounts } from "./data/counts-digest";
import { Bench, type Measurement } from "./measurement";
import * as answers from "./measurements/answers";
import * as audit from "./measurements/audit";
import * as auditGrowth from "./measurements/audit-growth";
import * as auditMinutes from "./measurements/audit-minutes";
import * as besideBatch from "./measurements/beside-batch";
import * as besideDuckdb from "./measurements/beside-duckdb";
import * as bigtable from "./measurements/bigtable";
import * as bigtableTop from "./measurements/bigtable-top";
import * as direct from "./measurements/direct";
import * as duckdb from "./measurements/duckdb";
import * as flink from "./measurements/flink";
import * as flinkSustained from "./measurements/flink-sustained";
import * as growth from "./measurements/growth";
import * as hotPath from "./measurements/hot-path";
import * as http from "./measurements/http";
import * as idle from "./measurements/idle";
import * as ingest from "./measurements/ingest";
import * as keys from "./measurements/keys";
import * as live from "./measurements/live";
import * as memory from "./measurements/memory";
import * as messages from "./measurements/messages";
import * as reads from "./measurements/reads";
import * as skew from "./measurements/skew";
import * as stamps from "./measurements/stamps";
import * as store from "./measurements/store";
import * as stream from "./measurements/stream";
import type { BenchParameters } from "./parameters";
import { type BenchReport, type MeasurementReport, machineInfo, REPORT_SCHEMA } from "./report";

/** In the order they run. */
export const MEASUREMENTS: readonly Measurement[] = [
  hotPath,
  messages,
  direct,
  duckdb,
  besideDuckdb,
  store,
  stream,
  skew,
  audit,
  ingest,
  http,
  keys,
  reads,
  live,
  answers,
  idle,
  bigtable,
  bigtableTop,
  stamps,
  auditGrowth,
  besideBatch,
  growth,
  memory,
  auditMinutes,
  flink,
  flinkSustained,
].map(({ measurement }) => measurement);

export interface RunOptions {
  parameters: BenchParameters;
  /** Names of measurements; empty: all that are not only by name. */
  only: readonly string[];
  /** The folder for CPU profiles of the tasks; absent: none are made. */
  profileFolder?: string;
  onStart?: (measurement: Measurement) => void;
}

/** Runs measurements one after the other; one that fails is reported and does not stop the others. */
export async function runBench(options: RunOptions): Promise<BenchReport> {
  const startedAt = new Date();
  const machine = machineInfo();
  const folder = mkdtempSync(join(tmpdir(), "viewmill-bench-"));
  const clear = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clear);
  const bench = new Bench(options.parameters, folder, options.profileFolder);
  const chosen = MEASUREMENTS.filter(({ name, onlyByName }) =>
    options.only.length === 0 ? onlyByName !== true : options.only.includes(name),
  );
  const measurements: MeasurementReport[] = [];
  try {
    for (const measurement of chosen) {
      options.onStart?.(measurement);
      measurements.push(await reportOf(measurement, bench));
    }
  } finally {
    clear();
    process.off("exit", clear);
  }
  return {
    schema: REPORT_SCHEMA,
    startedAt: startedAt.toISOString(),
    tookMs: Date.now() - startedAt.getTime(),
    machine,
    parameters: options.parameters,
    measurements,
  };
}

async function reportOf(measurement: Measurement, bench: Bench): Promise<MeasurementReport> {
  const { name, title } = measurement;
  const started = performance.now();
  try {
    const { figures, facts = {} } = await measurement.run(bench);
    requireSameCounts((facts.digests ?? {}) as Parameters<typeof requireSameCounts>[0]);
    return { name, title, tookMs: Math.round(performance.now() - started), figures, facts };
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, title, tookMs: Math.round(performance.now() - started), figures: [], facts: {}, error: why };
  }
}
