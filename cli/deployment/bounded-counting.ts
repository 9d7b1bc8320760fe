import type { BoundedOptions } from "../../pipelines/bounded/bounded-stream";
import type { Config } from "../config-schema";
import { streamIdentity } from "../stream-identity";
import { allowedLatenessMs } from "./deployment";

/** How a bounded run counts beside the deployment's stream: spread and judged alike, so that its ledger rows are the same rows. */
export function boundedCounting(config: Config): BoundedOptions["counting"] {
  const embedded = config.log.kind === "embedded";
  const { dedupePartitions } = embedded ? config.stream : config.job;
  const { videoShards } = embedded ? streamIdentity(config) : config.job;
  // Only a run that counts all that the archive holds may follow corrections: another's numbers would take the late events out of them again.
  return { dedupePartitions, videoShards, allowedLatenessMs: allowedLatenessMs(config), followCorrections: embedded };
}
