// SPDX-License-Identifier: Apache-2.0
/** A process that packs or rolls up, and is killed by the kernel after a step: FOLDER NOW_MS STEP. */
import { join } from "node:path";
import { DirectoryArchive } from "../../io/directory/archive";
import { TierHarness } from "./tier-harness";

async function main([folder, nowMs, step]: readonly string[]): Promise<void> {
  const killAt = (made: string) => {
    if (made === step) process.kill(process.pid, "SIGKILL");
  };
  const harness = await TierHarness.open(folder);
  harness.nowMs = Number(nowMs);
  harness.stores.archive = new DirectoryArchive({ folder: join(harness.folder, "archive"), onPackStep: killAt });
  await harness.pack();
  await harness.tier(killAt);
  await harness.shut();
}

void main(process.argv.slice(2));
