// SPDX-License-Identifier: Apache-2.0
/**
 * The counting graph over a bounded part of the archive: `viewmill pipeline stream --runner direct` runs it over a
 * range, and a backfill over the hours that it touched.
 */
import { isBackfilled } from "../../domain/archive-name";
import { setsAside } from "../../domain/rules/lateness";
import { repeatedRows } from "../../domain/rules/repeated-messages";
import { MINUTE_MS } from "../../domain/rules/time";
import { FromResource, generate, provideResource, runDirect, withdrawResource } from "../../engine";
import type {
  Archive,
  ArchivedObject,
  ArchiveObject,
  CounterStore,
  DeadLetters,
  Ledger,
  NewDeadLetter,
} from "../../io/ports";
import type { ArchiveName } from "../../transforms/elements";
import { readArchive } from "../../transforms/read-archive";
import { RESOURCES } from "../../transforms/resource-names";
import { type CountingOptions, countingGraph } from "../counting-graph";

export interface BoundedDependencies {
  archive: Archive;
  counters: CounterStore;
  ledger: Ledger;
  deadLetters: DeadLetters;
}

export interface BoundedOptions {
  /** Whole minutes of event time, half-open. */
  fromMs: number;
  toMs: number;
  /**
   * The way events are spread and judged. `dedupePartitions` must be that of the stream whose ledger this is, because
   * rows are kept by partition. `followCorrections` has this meaning: a bounded run counts whole minutes from the
   * archive, so with `followCorrections` every cell is written at the correction that an audit has given it, and the
   * larger (count, sum, last) wins. Without it, cells that an audit has corrected stay as they are. In both cases no
   * number gets smaller: an audit alone takes counts back. With a lateness rule the run does as a stream that reads the
   * log: it sets aside the same events, takes a message once that is in two objects, and leaves out backfilled events
   * and objects that no ledger lists, whose archiver was stopped and whose messages are archived again. The audit
   * counts both.
   */
  counting: Omit<CountingOptions, "paneCache" | "writtenCells" | "inProcess">;
}

export interface BoundedResult {
  objects: number;
  /** Events of the counted minutes: counted, duplicate and late. */
  events: number;
  minutes: number;
  /**
   * Objects that could not be read as events. Each of them is a dead letter, and the events before its damage are
   * counted.
   */
  deadLetters: number;
  elapsedMs: number;
}

const MINUTES_AT_ONCE = 60;

/**
 * Runs the counting graph over a range of the archive, on the direct runner, hour by hour, so that memory holds one
 * hour's events at most. Running it again, or beside the stream, changes nothing: counts are absolute and ordered.
 * Throws RangeError for an invalid range and StageError for a store that fails; hours counted before the failure stay
 * counted.
 */
export async function runBoundedStream(deps: BoundedDependencies, options: BoundedOptions): Promise<BoundedResult> {
  const { fromMs, toMs, counting } = options;
  if (!(Number.isInteger(fromMs / MINUTE_MS) && Number.isInteger(toMs / MINUTE_MS) && fromMs <= toMs)) {
    throw new RangeError(`[${fromMs}, ${toMs}) is not a range of whole minutes`);
  }
  const startedAt = performance.now();
  const result: BoundedResult = { objects: 0, events: 0, minutes: 0, deadLetters: 0, elapsedMs: 0 };
  const known = await deps.archive.minutes(fromMs / MINUTE_MS, toMs / MINUTE_MS);
  const hours = Map.groupBy(known, (minute) => Math.floor(minute / MINUTES_AT_ONCE));
  for (const minutes of hours.values()) {
    const [first, end] = [minutes[0]!, minutes[minutes.length - 1]! + 1];
    const stored = await deps.archive.list(first, end);
    const isTwin = setsAside(counting.allowedLatenessMs);
    const objects = isTwin
      ? onceEach(stored, await deps.ledger.archivedObjects(first, end))
      : stored.map(({ name, minute }): ArchiveName => ({ name, minute }));
    const deadLetters = countedLetters(deps.deadLetters);
    await runHour({ ...deps, deadLetters: deadLetters.port }, objects, counting);
    for (const { counted, duplicate, late } of await deps.ledger.books(first, end)) {
      result.events += counted + duplicate + late;
    }
    result.objects += objects.length;
    result.minutes += minutes.length;
    result.deadLetters += deadLetters.appended();
  }
  result.elapsedMs = Math.round(performance.now() - startedAt);
  return result;
}

/** Returns the listed objects of the log that are stored, with the rows of messages that an earlier object has. */
function onceEach(stored: readonly ArchiveObject[], listed: readonly ArchivedObject[]): ArchiveName[] {
  const names = new Set(listed.map(({ name }) => name));
  const repeated = new Map<string, number[]>();
  for (const objects of Map.groupBy(listed, ({ minute }) => minute).values())
    for (const [name, rows] of repeatedRows(objects)) repeated.set(name, rows);
  return stored.flatMap(({ name, minute }) => {
    if (isBackfilled(name) || !names.has(name)) return [];
    const rows = repeated.get(name);
    return [{ name, minute, ...(rows !== undefined && { repeated: rows }) }];
  });
}

function countedLetters(deadLetters: DeadLetters): { port: Pick<DeadLetters, "append">; appended(): number } {
  let appended = 0;
  const append = async (letters: readonly NewDeadLetter[]) => {
    await deadLetters.append(letters);
    appended += letters.length;
  };
  return { port: { append }, appended: () => appended };
}

async function runHour(
  deps: Omit<BoundedDependencies, "deadLetters"> & { deadLetters: Pick<DeadLetters, "append"> },
  objects: readonly ArchiveName[],
  counting: BoundedOptions["counting"],
): Promise<void> {
  const provided = new Map<string, unknown>([
    [RESOURCES.archive, deps.archive],
    [RESOURCES.counterStore, deps.counters],
    [RESOURCES.ledger, deps.ledger],
    [RESOURCES.deadLetters, deps.deadLetters],
    [OBJECT_NAMES, objects],
  ]);
  for (const [name, value] of provided) provideResource(name, value);
  try {
    await runDirect((root) => {
      const names = generate(root, "ObjectNames", new FromResource<ArchiveName>(OBJECT_NAMES));
      countingGraph(readArchive(names), { ...counting, paneCache: "", writtenCells: "", inProcess: true });
    });
  } finally {
    for (const name of provided.keys()) withdrawResource(name);
  }
}

const OBJECT_NAMES = "bounded/object-names";
