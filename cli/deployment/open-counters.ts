// SPDX-License-Identifier: Apache-2.0
/**
 * The counter store of the configuration, SQLite or Bigtable, with its roll-ups. Deployments open it to write, and the
 * service to read.
 */
import { join } from "node:path";
import { YOUNGEST_ROLLED_MS } from "../../domain/rules/roll-ups";
import type { BigtableConfig } from "../../io/bigtable/config";
import type { BookRetention, CellTiers, CounterStore, Ledger, RollUpFolder, Versioned } from "../../io/ports";
import type { Settings } from "../config/schema";
import { gcsLocation } from "./gcs-location";

/**
 * `shared`: writes in this thread. `threaded`: writes in a thread of their own, for a process that writes much. Only
 * SQLite distinguishes the two.
 */
export type CounterAccess = "shared" | "threaded";

export interface OpenedCounters {
  /** Reads the store and its roll-ups. */
  counters: CounterStore;
  ledger: Ledger;
  /** Moves cells out of the store. */
  tiering: {
    store: CounterStore;
    tiers: CellTiers;
    folder: RollUpFolder;
    /**
     * Completes the indexes of what an earlier program wrote, or builds them anew. Absent where the store does so when
     * it is opened.
     */
    completeIndexes?: (options: { anew: boolean }) => Promise<boolean>;
  };
  /** Deletes old books. */
  books: BookRetention;
}

type RollUpSections = Settings<"archive" | "counters" | "data" | "gcs" | "tier">;

/** Combines the store and its roll-ups. */
async function tiered(
  config: RollUpSections,
  store: CounterStore,
  ledger: Ledger & BookRetention,
  tiers: CellTiers & { close(): Promise<void> },
): Promise<OpenedCounters> {
  const folder = await openRollUps(config);
  const { TieredCounters } = await import("../../io/tiers/tiered-counters.js");
  const counters = new TieredCounters({ store, tiers, folder, clock: Date.now, youngestMs: YOUNGEST_ROLLED_MS });
  const close = store.close.bind(store);
  store.close = async () => {
    await close();
    await tiers.close();
  };
  return { counters, ledger, tiering: { store, tiers, folder }, books: ledger };
}

/** Returns the place of roll-ups: beside the archive of a cluster, otherwise in the data folder. */
async function openRollUps(config: RollUpSections): Promise<RollUpFolder> {
  if (config.counters.kind === "bigtable" && config.archive.kind === "gcs") {
    const { GcsRollUps } = await import("../../io/gcs/roll-up-folder.js");
    return new GcsRollUps(gcsLocation(config, config.tier.prefix));
  }
  const { DirectoryRollUps } = await import("../../io/directory/roll-up-folder.js");
  return new DirectoryRollUps({ folder: join(config.data, "rollups") });
}

/** Opens the counters and the ledger, which are in one store. */
export async function openCounters(
  config: RollUpSections & Settings<"project">,
  access: CounterAccess,
): Promise<OpenedCounters> {
  if (config.counters.kind === "sqlite") {
    const folder = config.data;
    const { SqliteLedger } = await import("../../io/sqlite/ledger.js");
    const ledger = new SqliteLedger({ folder });
    const { SqliteCellTiers } = await import("../../io/sqlite/cell-tiers.js");
    const tiers = new SqliteCellTiers({ folder });
    if (access === "threaded") {
      const { ThreadedCounterStore } = await import("../../io/sqlite/counter-writer.js");
      return tiered(config, new ThreadedCounterStore({ folder }), ledger, tiers);
    }
    const { SqliteCounterStore } = await import("../../io/sqlite/counter-store.js");
    return tiered(config, new SqliteCounterStore({ folder }), ledger, tiers);
  }
  const { BigtableCounterStore } = await import("../../io/bigtable/counter-store.js");
  const { BigtableLedger } = await import("../../io/bigtable/ledger.js");
  const { BigtableCellTiers } = await import("../../io/bigtable/cell-tiers.js");
  const location = bigtableLocation(config);
  const store = new BigtableCounterStore(location);
  const opened = await tiered(config, store, new BigtableLedger(location), new BigtableCellTiers(location));
  return { ...opened, tiering: { ...opened.tiering, completeIndexes: (options) => store.completeIndexes(options) } };
}

type CounterReads = Pick<CounterStore, "totals" | "read" | "top" | "rising" | "videoIds" | "videosSeen" | "close">;

/** Opens the same counters for reading only, so that reads wait neither for writes nor for each other. */
export async function openReader(
  config: RollUpSections,
  counters: CounterStore,
): Promise<CounterReads & Partial<Versioned>> {
  if (config.counters.kind === "bigtable") return { ...bound(counters), close: async () => undefined };
  const { SqliteCounterReader } = await import("../../io/sqlite/reader-thread.js");
  const { SqliteCellTiers } = await import("../../io/sqlite/cell-tiers.js");
  const { TieredReads } = await import("../../io/tiers/tiered-reads.js");
  const { RollUpReader } = await import("../../io/tiers/roll-up-reader.js");
  const reader = new SqliteCounterReader({ folder: config.data });
  const tiers = new SqliteCellTiers({ folder: config.data });
  const rollUps = new RollUpReader(await openRollUps(config));
  const reads = new TieredReads(tiers, rollUps, { clock: Date.now, youngestMs: YOUNGEST_ROLLED_MS });
  const ranked = {
    top: reader.top.bind(reader),
    rising: reader.rising.bind(reader),
    minuteCells: counters.minuteCells.bind(counters),
  };
  return {
    totals: (videoId) => reader.totals(videoId),
    read: (...asked) => reads.read(reader, ...asked),
    top: (...asked) => reads.top(ranked, ...asked),
    rising: (...asked) => reads.rising(ranked, ...asked),
    videoIds: (...asked) => reader.videoIds(...asked),
    version: () => reader.version(),
    videosSeen: (...asked) => reader.videosSeen(...asked),
    close: async () => {
      await reader.close();
      await tiers.close();
    },
  };
}

const bound = (counters: CounterStore): Omit<CounterReads, "close"> => ({
  totals: (videoId) => counters.totals(videoId),
  read: (...asked) => counters.read(...asked),
  top: (...asked) => counters.top(...asked),
  rising: (...asked) => counters.rising(...asked),
  ...(counters.videosSeen && { videosSeen: (...asked) => counters.videosSeen!(...asked) }),
});

export function bigtableLocation({ project, counters }: Settings<"counters" | "project">): BigtableConfig {
  const { instance, tablePrefix, appProfile, endpoint } = counters;
  return {
    projectId: project,
    instanceId: instance,
    tablePrefix,
    ...(appProfile === "" ? {} : { appProfileId: appProfile }),
    ...(endpoint === "" ? {} : { emulatorHost: endpoint }),
  };
}
