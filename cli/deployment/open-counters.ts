import type { BigtableConfig } from "../../io/bigtable/config";
import type { CounterStore, Ledger } from "../../io/ports";
import type { Config } from "../config/schema";

/** `shared`: in this thread; `threaded`: writes in a thread of their own, for a process that writes much. Only SQLite knows the difference. */
export type CounterAccess = "shared" | "threaded";

/** Counters and the ledger are in one store. */
export async function openCounters(
  config: Config,
  access: CounterAccess,
): Promise<{ counters: CounterStore; ledger: Ledger }> {
  if (config.counters.kind === "sqlite") {
    const folder = config.data;
    const { SqliteLedger } = await import("../../io/sqlite/ledger.js");
    const ledger = new SqliteLedger({ folder });
    if (access === "threaded") {
      const { ThreadedCounterStore } = await import("../../io/sqlite/counter-writer.js");
      return { counters: new ThreadedCounterStore({ folder }), ledger };
    }
    const { SqliteCounterStore } = await import("../../io/sqlite/counter-store.js");
    return { counters: new SqliteCounterStore({ folder }), ledger };
  }
  const { BigtableCounterStore } = await import("../../io/bigtable/counter-store.js");
  const { BigtableLedger } = await import("../../io/bigtable/ledger.js");
  const location = bigtableLocation(config);
  return { counters: new BigtableCounterStore(location), ledger: new BigtableLedger(location) };
}

/** The same counters for reading only, so that reads wait neither for writes nor for each other. */
export async function openReader(
  config: Config,
  counters: CounterStore,
): Promise<Pick<CounterStore, "totals" | "read" | "top" | "rising" | "videoIds" | "close">> {
  if (config.counters.kind === "bigtable") return { ...bound(counters), close: async () => undefined };
  const { SqliteCounterReader } = await import("../../io/sqlite/reader-thread.js");
  return new SqliteCounterReader({ folder: config.data });
}

const bound = (counters: CounterStore): Pick<CounterStore, "totals" | "read" | "top"> => ({
  totals: (videoId) => counters.totals(videoId),
  read: (...asked) => counters.read(...asked),
  top: (...asked) => counters.top(...asked),
});

export function bigtableLocation({ project, counters }: Config): BigtableConfig {
  const { instance, tablePrefix, appProfile, endpoint } = counters;
  return {
    projectId: project,
    instanceId: instance,
    tablePrefix,
    ...(appProfile === "" ? {} : { appProfileId: appProfile }),
    ...(endpoint === "" ? {} : { emulatorHost: endpoint }),
  };
}
