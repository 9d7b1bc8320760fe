/**
 * The process of the embedded stream: a child of `serve`, so that counting never slows ingest and reads, and can crash alone. Its settings
 * come as the first argument (JSON); it reports each pass to its parent and ends when the parent does.
 */
import { setPriority } from "node:os";
import { join } from "node:path";
import { provideResource } from "../engine";
import { DirectoryArchive } from "../io/directory/archive";
import { ThreadedCounterStore } from "../io/sqlite/counter-writer";
import { waitForLock } from "../io/sqlite/data-folder";
import { SqliteDeadLetters } from "../io/sqlite/dead-letters";
import { SqliteLogReader } from "../io/sqlite/log-reader";
import { SqliteStreamState } from "../io/sqlite/stream-state";
import { EmbeddedPaneCache } from "../pipelines/embedded/pane-cache";
import { runStream, type StreamOptions } from "../pipelines/embedded/stream";
import { RESOURCES } from "../transforms/resource-names";
import { WrittenCells } from "../transforms/written-cells";
import { commandLine } from "./environment";

export interface StreamProcessSettings {
  folder: string;
  writer: string;
  dedupePartitions: number;
  videoShards: number;
  maxPassEntries: number;
  maxPassBytes: number;
  minPassIntervalMs: number;
  maxCpuShare: number;
  maxRetainedIds: number;
  maxWrittenCells: number;
}

/** What the process tells its parent. */
export type StreamReport =
  | { kind: "started"; position: number }
  | {
      kind: "pass";
      position: number;
      events: number;
      minutes: number;
      recounted: number;
      caughtUp: boolean;
      tookMs: number;
    };

const LOCK_DEADLINE_MS = 60_000;
const BELOW_NORMAL_NICE = 5;
const POLL_INTERVAL_MS = 100;
export const PIPELINE_LOCK = "pipeline";
const WRITTEN_CELLS = "embedded/written-cells";

async function main(settings: StreamProcessSettings): Promise<void> {
  // Requests come first when there is not enough of the processor for both.
  setPriority(BELOW_NORMAL_NICE);
  const stop = new AbortController();
  process.on("disconnect", () => stop.abort());
  process.on("SIGTERM", () => stop.abort());
  process.on("SIGINT", () => {});
  const { folder } = settings;
  // A stream whose parent was killed may still be finishing its pass; two at once would be safe, but wasteful.
  await waitForLock(folder, PIPELINE_LOCK, { deadlineMs: LOCK_DEADLINE_MS, signal: stop.signal });
  const counters = new ThreadedCounterStore({ folder });
  const state = new SqliteStreamState({ folder });
  const deadLetters = new SqliteDeadLetters({ folder });
  const archive = new DirectoryArchive({ folder: join(folder, "archive") });
  const panes = new EmbeddedPaneCache(settings.maxRetainedIds);
  const writtenCells = new WrittenCells(settings.maxWrittenCells);
  provideResource(RESOURCES.archive, archive);
  provideResource(RESOURCES.counterStore, counters);
  provideResource(RESOURCES.ledger, state);
  provideResource(RESOURCES.deadLetters, deadLetters);
  provideResource(RESOURCES.paneCache, panes);
  provideResource(WRITTEN_CELLS, writtenCells);
  report({ kind: "started", position: await state.checkpoint() });
  const log = new SqliteLogReader({ folder });
  await runStream(
    { log, archive, state, deadLetters, panes, writtenCells },
    streamOptions(settings),
    stop.signal,
    (result, tookMs) => report({ kind: "pass", ...result, tookMs }),
  );
  await Promise.all([counters.close(), deadLetters.close(), log.close()]);
}

function streamOptions(settings: StreamProcessSettings): StreamOptions {
  return {
    writer: settings.writer,
    maxEntries: settings.maxPassEntries,
    maxBytes: settings.maxPassBytes,
    minPassIntervalMs: settings.minPassIntervalMs,
    maxCpuShare: settings.maxCpuShare,
    pollIntervalMs: POLL_INTERVAL_MS,
    counting: {
      dedupePartitions: settings.dedupePartitions,
      videoShards: settings.videoShards,
      allowedLatenessMs: -1,
      followCorrections: true,
      paneCache: RESOURCES.paneCache,
      writtenCells: WRITTEN_CELLS,
    },
  };
}

function report(message: StreamReport): void {
  if (process.connected) process.send?.(message);
}

if (require.main === module) {
  main(JSON.parse(commandLine()[2] ?? "{}") as StreamProcessSettings).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    },
  );
}
