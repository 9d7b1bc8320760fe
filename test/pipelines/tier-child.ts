// SPDX-License-Identifier: Apache-2.0
/** A process that packs or rolls up, and is killed by the kernel after a step: FOLDER NOW_MS STEP [PLACE]. */
import { join } from "node:path";
import { DirectoryArchive } from "../../io/directory/archive";
import { type ClusterPlace, clusterGround } from "../io/bigtable/cluster-ground";
import { EMBEDDED, TierHarness } from "./tier-harness";

async function main([folder, nowMs, step, place]: readonly string[]): Promise<void> {
  const killAt = (made: string) => {
    if (made === step) process.kill(process.pid, "SIGKILL");
  };
  const ground = place === undefined ? EMBEDDED : clusterGround(JSON.parse(place) as ClusterPlace);
  const harness = await TierHarness.open(folder, ground);
  harness.nowMs = Number(nowMs);
  if (place === undefined)
    harness.stores.archive = new DirectoryArchive({ folder: join(harness.folder, "archive"), onPackStep: killAt });
  await harness.pack();
  await harness.tier(killAt);
  await harness.shut();
}

void main(process.argv.slice(2));
