// SPDX-License-Identifier: Apache-2.0
import { finalBeforeMinute } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import type { BoundedOptions } from "../../pipelines/bounded/bounded-stream";
import type { Config } from "../config/schema";
import { allowedLatenessMs, type Deployment } from "./deployment";
import { streamIdentity } from "./stream-identity";

/**
 * How a bounded run counts beside the deployment's stream: spread and judged alike, so that its ledger rows are the
 * same rows. To be asked for before the run lists anything: what is final now, and changes in the run, is a revision.
 */
export async function boundedCounting({ config, progress }: Deployment): Promise<BoundedOptions["counting"]> {
  const completeThroughMs = await progress.completeThroughMs(Date.now());
  const finalAfterMs = config.lateness.finalAfterMinutes * MINUTE_MS;
  return { ...describedCounting(config), finalBeforeMinute: finalBeforeMinute(completeThroughMs, finalAfterMs) };
}

/** The part of it that the configuration alone decides. */
function describedCounting(config: Config): Omit<BoundedOptions["counting"], "finalBeforeMinute"> {
  const embedded = config.log.kind === "embedded";
  const { dedupePartitions } = embedded ? config.stream : config.job;
  const { videoShards } = embedded ? streamIdentity(config) : config.job;
  // Only a run that counts all that the archive holds may follow corrections: another's numbers would take the late
  // events out of them again.
  return { dedupePartitions, videoShards, allowedLatenessMs: allowedLatenessMs(config), followCorrections: embedded };
}
