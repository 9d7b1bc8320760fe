// SPDX-License-Identifier: Apache-2.0
/** Tiering over Bigtable and Cloud Storage: counters and ledger in the one, archive and roll-ups in the other. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BigtableCellTiers } from "../../../io/bigtable/cell-tiers";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { BigtableLedger } from "../../../io/bigtable/ledger";
import { GcsArchive } from "../../../io/gcs/archive";
import type { GcsOptions } from "../../../io/gcs/config";
import { GcsRollUps } from "../../../io/gcs/roll-up-folder";
import type { ArchiveObject } from "../../../io/ports";
import type { TierGround } from "../../pipelines/tier-harness";

/** Where a deployment is; plain data, so that a child process can be told. */
export interface ClusterPlace {
  bigtable: BigtableConfig;
  gcs: GcsOptions;
}

/** The longest that a write of these tests is under way. */
const DRAIN_MS = 20;

/** A bucket gives its objects the time of the clock, so the times of the test are kept beside it. */
class DatedArchive extends GcsArchive {
  constructor(
    options: GcsOptions,
    private readonly file: string,
  ) {
    super(options);
  }

  date(name: string, writtenAtMs: number): void {
    writeFileSync(this.file, JSON.stringify({ ...this.#dates(), [name]: writtenAtMs }));
  }

  override async list(fromMinute: number, toMinute: number): Promise<ArchiveObject[]> {
    const dates = this.#dates();
    const listed = await super.list(fromMinute, toMinute);
    return listed.map((object) => ({ ...object, writtenAtMs: dates[object.name]! }));
  }

  #dates(): Record<string, number> {
    return existsSync(this.file) ? JSON.parse(readFileSync(this.file, "utf8")) : {};
  }
}

export function clusterGround({ bigtable, gcs }: ClusterPlace): TierGround {
  return {
    open: async (embedded, folder, clock) => {
      const within = (prefix: string) => ({ ...gcs, prefix: `${gcs.prefix}/${prefix}/` });
      const archive = new DatedArchive(within("archive"), join(folder, "written-at.json"));
      const counters = new BigtableCounterStore({ ...bigtable, clock });
      const ledger = new BigtableLedger(bigtable);
      const close = async () => {
        await Promise.all([counters.close(), ledger.close()]);
        archive.close();
      };
      return {
        stores: { ...embedded, archive, counters, ledger, close },
        tiers: new BigtableCellTiers({ ...bigtable, drainMs: DRAIN_MS }),
        rollUps: new GcsRollUps(within("rollups")),
        date: (name, writtenAtMs) => archive.date(name, writtenAtMs),
      };
    },
  };
}
