// SPDX-License-Identifier: Apache-2.0
import { finalBeforeMinute } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import type { BoundedOptions } from "../../pipelines/bounded/bounded-stream";
import type { Settings } from "../config/schema";
import { allowedLatenessMs, type Deployment } from "./deployment";
import { streamIdentity } from "./stream-identity";

type CountingSections = Settings<"data" | "job" | "lateness" | "log" | "stream">;

/**
 * Returns the counting options of a bounded run beside the deployment's stream, which spreads and judges events alike,
 * so that its ledger rows are the same rows. The caller asks before the run lists any object: a change of a minute that
 * is final now is a revision. `viewmill backfill` and `viewmill pipeline stream` on the direct runner ask for them.
 */
export async function boundedCounting(
  config: CountingSections,
  { progress }: Pick<Deployment, "progress">,
): Promise<BoundedOptions["counting"]> {
  const completeThroughMs = await progress.completeThroughMs(Date.now());
  const finalAfterMs = config.lateness.finalAfterMinutes * MINUTE_MS;
  return { ...describedCounting(config), finalBeforeMinute: finalBeforeMinute(completeThroughMs, finalAfterMs) };
}

/** Returns the options that the configuration alone decides. */
function describedCounting(config: CountingSections): Omit<BoundedOptions["counting"], "finalBeforeMinute"> {
  const embedded = config.log.kind === "embedded";
  const { dedupePartitions } = embedded ? config.stream : config.job;
  const { videoShards } = embedded ? streamIdentity(config) : config.job;
  // Only a run that counts everything in the archive may follow corrections. Another run's numbers would remove the
  // late events from the corrected cells.
  return { dedupePartitions, videoShards, allowedLatenessMs: allowedLatenessMs(config), followCorrections: embedded };
}
