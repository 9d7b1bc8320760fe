// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pipeline } from "apache-beam/proto/beam_runner_api";
import { described } from "../../../cli/deployment/dataflow/prepared-jobs";
import type { PreparedJob } from "../../../engine/dataflow";
import { goldenConfig } from "./golden-config";
import { readablePipeline } from "./readable-pipeline";

/** `UPDATE_FIXTURES=true` writes them anew: docs/dataflow.md says how. */
const UPDATE = process.env.UPDATE_FIXTURES === "true";
export const ROOT = join(__dirname, "..", "..", "..", "..");
const FIXTURES = join(ROOT, "test", "system", "dataflow", "fixtures");

export const FIXTURE_NAMES = ["stream", "update", "audit"] as const;

export interface DescribedJob {
  url: string;
  job: Record<string, unknown>;
  staged: string;
}

export const readFixture = (name: string): unknown =>
  JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8")) as unknown;

/** The job as a process of its own prepares it: every process tells all modules that it has loaded. */
export function preparedJob(name: (typeof FIXTURE_NAMES)[number]): PreparedJob {
  const program = join(__dirname, "children", "prepare-job.js");
  const job = JSON.parse(execFileSync(process.execPath, [program, name], { encoding: "utf8" })) as PreparedJob;
  return { ...job, pipeline: Buffer.from(String(job.pipeline), "base64") };
}

/** The job as it is posted, and the graph that it names, are the committed ones. */
export function expectFixtures(name: (typeof FIXTURE_NAMES)[number], prepared: PreparedJob): void {
  expectFixture(`${name}-job`, stable(prepared));
  expectFixture(`${name}-pipeline`, readablePipeline(Pipeline.fromBinary(prepared.pipeline)));
}

/**
 * Bytes of functions, and so the hash over them, change with every build. Settings are shown as what they are, not as
 * text.
 */
function stable(prepared: PreparedJob): DescribedJob {
  const { url, job, staged } = described(prepared, goldenConfig());
  const text = JSON.stringify({ url, job, staged: staged.url }).replaceAll(/[0-9a-f]{64}/g, "HASH-OF-THE-GRAPH");
  return JSON.parse(text, (name, value: unknown) =>
    name === "worker_boot_settings" || name === "workerSettings" ? JSON.parse(String(value)) : value,
  ) as DescribedJob;
}

function expectFixture(name: string, value: unknown): void {
  if (UPDATE) writeFileSync(join(FIXTURES, `${name}.json`), `${JSON.stringify(value, null, 2)}\n`);
  expect(JSON.parse(JSON.stringify(value))).toEqual(readFixture(name));
}
