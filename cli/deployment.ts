import { join } from "node:path";
import { DirectoryArchive } from "../io/directory/archive";
import type { Archive, CounterStore, DeadLetters, LogProgress, StreamState } from "../io/ports";
import { SqliteCounterStore } from "../io/sqlite/counter-store";
import { prepareDataFolder } from "../io/sqlite/data-folder";
import { SqliteDeadLetters } from "../io/sqlite/dead-letters";
import { SqliteLogProgress } from "../io/sqlite/log-progress";
import { SqliteLogReader } from "../io/sqlite/log-reader";
import { SqliteStreamState } from "../io/sqlite/stream-state";

/** The stores of an embedded deployment, opened beside a running service or without one. */
export interface Deployment {
  folder: string;
  log: SqliteLogReader;
  progress: LogProgress;
  archive: Archive;
  counters: CounterStore;
  state: StreamState;
  deadLetters: DeadLetters;
  close(): Promise<void>;
}

/** Throws DataFolderError, StoreUnavailableError: one clear line each. */
export function openDeployment(folder: string): Deployment {
  prepareDataFolder(folder);
  const log = new SqliteLogReader({ folder });
  const counters = new SqliteCounterStore({ folder });
  const state = new SqliteStreamState({ folder });
  const deadLetters = new SqliteDeadLetters({ folder });
  return {
    folder,
    log,
    progress: new SqliteLogProgress(log, state),
    counters,
    state,
    deadLetters,
    archive: new DirectoryArchive({ folder: join(folder, "archive") }),
    close: async () => {
      await Promise.all([log.close(), counters.close(), deadLetters.close()]);
    },
  };
}
