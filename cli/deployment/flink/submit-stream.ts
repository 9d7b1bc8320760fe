// SPDX-License-Identifier: Apache-2.0
/** The streaming job on Flink: `viewmill pipeline stream` and `resume` submit it, and `--dry-run` describes it. */
import { MINUTE_MS } from "../../../domain/rules/time";
import { FlinkRunner } from "../../../engine";
import { startGroupAt } from "../../../io/kafka/topics";
import type { Settings } from "../../config/schema";
import { kafkaConnection } from "../kafka-connection";
import { requireBrokerTimes } from "../require-broker-times";
import { requireWholeSubscription } from "../require-whole-subscription";
import { READ_BEFORE_MS, streamGroup } from "../stream-graph";
import { type FlinkStreamSections, streamJobProto, streamSubmission } from "./stream-job";

/** Of a cluster that is busy, or whose containers are still to come. */
const RUNNING_DEADLINE_MS = 15 * MINUTE_MS;

/**
 * Submits the streaming job and waits until it runs. Rejects with FlinkError or ConfigError; no job runs then, unless
 * the error says so.
 */
export async function submitStreamJob(
  config: FlinkStreamSections,
  savepointPath: string | undefined,
): Promise<{ jobId: string; name: string }> {
  await requireBrokerTimes(config);
  await requireWholeSubscription(config, "streamSubscription");
  const proto = await streamJobProto(config);
  if (savepointPath === undefined) await placeReader(config);
  const runner = new FlinkRunner({ jobServer: config.flink.jobServer, restUrl: config.flink.restUrl });
  try {
    const job = await runner.submit(proto, streamSubmission(config, savepointPath));
    await job.waitUntilRunning(RUNNING_DEADLINE_MS);
    return { jobId: job.jobId ?? job.serviceJobId, name: config.job.name };
  } finally {
    runner.close();
  }
}

/**
 * Places the job's reader. A job that takes over reads from long enough before its first minute; a first job reads from
 * the beginning of the topic.
 */
async function placeReader(config: Settings<"job" | "log">): Promise<void> {
  const { log, job } = config;
  if (log.kind !== "kafka" || job.fromMinute === 0) return;
  const fromMs = job.fromMinute * MINUTE_MS - READ_BEFORE_MS;
  await startGroupAt(kafkaConnection(config), log.topic, streamGroup(config), fromMs);
}

/** Describes the job exactly, as plain JSON: bytes in base64, 64-bit numbers as text. */
export async function describedStreamJob(
  config: FlinkStreamSections,
  savepointPath: string | undefined,
): Promise<unknown> {
  const pipeline = await streamJobProto(config);
  return JSON.parse(
    JSON.stringify({ pipeline, options: streamSubmission(config, savepointPath) }, (_key, value: unknown) => {
      if (typeof value === "bigint") return String(value);
      return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
    }),
  );
}
