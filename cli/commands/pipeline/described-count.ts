// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../../domain/rules/time";
import type { Settings } from "../../config/schema";
import { allowedLatenessMs } from "../../deployment/deployment";
import { openArchive } from "../../deployment/open-archive";

/**
 * Describes a direct run over [fromMs, toMs), without opening a store for writing or making a folder.
 * `viewmill pipeline stream --dry-run` prints it for the direct runner.
 */
export async function describedCount(
  config: Settings<"archive" | "data" | "gcs" | "job" | "lateness" | "log" | "stream">,
  fromMs: number,
  toMs: number,
): Promise<unknown> {
  const archive = await openArchive(config);
  const minutes = await archive.minutes(fromMs / MINUTE_MS, toMs / MINUTE_MS);
  const [first, last] = [minutes[0], minutes.at(-1)];
  const objects = first === undefined || last === undefined ? [] : await archive.list(first, last + 1);
  const { dedupePartitions, videoShards } = config.log.kind === "embedded" ? config.stream : config.job;
  const at = (minute: number | undefined) => (minute === undefined ? null : new Date(minute * MINUTE_MS).toISOString());
  return {
    runner: "direct",
    archive: config.archive.kind,
    firstMinute: at(first),
    lastMinute: at(last),
    minutes: minutes.length,
    objects: objects.map(({ name }) => name),
    counting: { dedupePartitions, videoShards, allowedLatenessMs: allowedLatenessMs(config) },
  };
}
