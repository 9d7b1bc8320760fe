// SPDX-License-Identifier: Apache-2.0
/**
 * One pass of the embedded stream: new entries of the log are archived, counted and checkpointed, in this order. The
 * loop in stream.ts calls it again and again.
 */
import { finalBeforeMinute } from "../../domain/rules/lateness";
import type { ArchivedObject, DeadLetters, EmbeddedLedger, EmbeddedLog, LogEntry } from "../../io/ports";
import type { ArchiveMessage, ColumnsMessage } from "../../transforms/elements";
import {
  type DecodedRange,
  decodeEntries,
  type ReceivedColumns,
  type WrittenObject,
  writeObjects,
} from "./archive-entries";
import {
  type CountingDependencies,
  countObjects,
  type EmbeddedCounting,
  newestWithin,
  type PassBounds,
} from "./count-objects";
import type { DeferredRanges } from "./deferred-ranges";

export interface PassDependencies extends CountingDependencies {
  log: Pick<EmbeddedLog, "read" | "head" | "firstAfter">;
  ledger: EmbeddedLedger;
  deadLetters: DeadLetters;
  deferredRanges: DeferredRanges;
}

export interface PassOptions extends PassBounds {
  /** The writer name in this stream's archive objects; it stays the same for the life of the data folder. */
  writer: string;
  maxEntries: number;
  maxBytes: number;
  /** How long after its end a minute becomes final for readers. */
  finalAfterMs: number;
  counting: EmbeddedCounting;
}

export interface PassResult {
  /** The position of the log up to which every entry is archived and counted. */
  position: number;
  events: number;
  minutes: number;
  /** Minutes that were recounted whole from the archive. */
  recounted: number;
  /**
   * What it leaves: entries or minutes that were there when it began, which its bounds left out; nothing older than its
   * beginning, but entries that came meanwhile, as under any steady load; or nothing.
   */
  left: "older" | "newer" | "nothing";
}

/**
 * One pass of the embedded stream: new log entries -> archive -> the minutes they touch -> one run of the counting
 * graph -> checkpoint. Where the entries touch more minutes than one run counts, the pass takes the newest and defers
 * the others, which `runSlice` counts later. A crash anywhere repeats a step that changes nothing: the range is
 * remembered before its objects are written; a minute of a range is one object, named after the range, whichever step
 * writes it; counts are absolute. Returns undefined where the log has nothing new.
 */
export async function runPass(deps: PassDependencies, options: PassOptions): Promise<PassResult | undefined> {
  const { ledger } = deps;
  const head = await deps.log.head();
  const entries = await nextEntries(deps, options);
  if (entries.length === 0) return undefined;
  const [fromPosition, toPosition] = [entries[0]!.position, entries[entries.length - 1]!.position];
  const range = decodeEntries(entries, options.writer);
  for (const letters of range.dead) await deps.deadLetters.append(letters);
  const { taken, listed } = await newestWithin(deps, range.objects.keys(), options);
  const deferred =
    taken.length < range.objects.size
      ? { fromPosition, toPosition, countedFromMinute: taken[taken.length - 1]! }
      : undefined;
  const written = await writeObjects(deps.archive, range, taken);
  const objects = written.map(listing);
  const fresh = (minutes: ReadonlySet<number>) =>
    newMessages(range.batches, minutes, deferred === undefined && minutes.size === taken.length);
  const recounted = await countObjects(deps, countingOf(range, options), objects, listed, fresh, (minutes) =>
    ledger.completePass(toPosition, objects, minutes, deferred),
  );
  const newer = async () => ((await deps.log.firstAfter(toPosition)) === undefined ? "nothing" : "newer");
  const left = toPosition < head ? "older" : await newer();
  return { ...summary(objects, recounted), position: await ledger.countedThrough(), left };
}

/**
 * Counts the next minutes of the oldest deferred range, newest first, with the exactness and the bounds of a pass.
 * Returns undefined where no range is deferred. It leaves nothing when the last deferred minute is counted.
 */
export async function runSlice(deps: PassDependencies, options: PassOptions): Promise<PassResult | undefined> {
  const { ledger } = deps;
  const deferred = await ledger.deferred();
  if (deferred === undefined) return undefined;
  const range = await deps.deferredRanges.decoded(deferred, async () =>
    decodeEntries(await entriesOf(deps.log, deferred, options), options.writer),
  );
  const { taken, listed } = await newestWithin(deps, range.objects.keys(), options);
  const rest = taken.length < range.objects.size ? taken[taken.length - 1]! : undefined;
  try {
    const written = await writeObjects(deps.archive, range, taken);
    const objects = written.map(listing);
    const fresh = (minutes: ReadonlySet<number>) => archived(written, minutes);
    const recounted = await countObjects(deps, countingOf(range, options), objects, listed, fresh, (minutes) =>
      ledger.completeSlice(deferred, rest, objects, minutes),
    );
    const left = (await ledger.deferred()) === undefined ? "nothing" : "older";
    return { ...summary(objects, recounted), position: await ledger.countedThrough(), left };
  } catch (error) {
    deps.deferredRanges.forget();
    throw error;
  }
}

/**
 * Returns the counting options of a range. Before a range is counted, readers are told that everything up to its first
 * entry is complete. So a change of a minute that was final by that promise is a revision.
 */
function countingOf(
  { firstAppendedAtMs }: Pick<DecodedRange, "firstAppendedAtMs">,
  { counting, finalAfterMs }: Pick<PassOptions, "counting" | "finalAfterMs">,
): EmbeddedCounting {
  return { ...counting, finalBeforeMinute: finalBeforeMinute(firstAppendedAtMs, finalAfterMs) };
}

function summary(objects: readonly ArchivedObject[], recounted: number) {
  return { events: objects.reduce((sum, { events }) => sum + events, 0), minutes: objects.length, recounted };
}

const listing = ({ name, minute, events, sizeBytes }: WrittenObject): ArchivedObject => {
  return { name, minute, events, sizeBytes };
};

/**
 * Returns the entries after the checkpoint. After a crash these are exactly the entries of the range left open, so that
 * its objects get the same names and content.
 */
async function nextEntries({ log, ledger }: PassDependencies, options: PassOptions): Promise<LogEntry[]> {
  const checkpoint = await ledger.checkpoint();
  const pending = await ledger.pending();
  if (pending !== undefined && pending.toPosition > checkpoint) return entriesOf(log, pending, options);
  const entries = await log.read(checkpoint, options.maxEntries, options.maxBytes);
  if (entries.length > 0) {
    await ledger.setPending({ fromPosition: entries[0]!.position, toPosition: entries[entries.length - 1]!.position });
  }
  return entries;
}

/** Returns exactly the entries of a range. Rejects where the log no longer has all of them. */
async function entriesOf(
  log: Pick<EmbeddedLog, "read">,
  { fromPosition, toPosition }: { fromPosition: number; toPosition: number },
  { maxEntries, maxBytes }: PassOptions,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let after = fromPosition - 1; after < toPosition; after = entries[entries.length - 1]!.position) {
    const more = await log.read(after, maxEntries, maxBytes);
    const inRange = more.filter(({ position }) => position <= toPosition);
    if (inRange.length === 0)
      throw new Error(`the log has lost entries ${after + 1} to ${toPosition}, which are not counted yet`);
    entries.push(...inRange);
  }
  return entries;
}

/** Yields new batches as messages, with their events of these minutes, or `all` of them. */
function* newMessages(
  batches: readonly ReceivedColumns[],
  minutes: ReadonlySet<number>,
  all: boolean,
): Generator<ColumnsMessage> {
  for (const batch of batches)
    yield all ? { kind: "columns", ...batch } : { kind: "columns", ...batch, minutes: [...minutes] };
}

function* archived(objects: readonly WrittenObject[], minutes: ReadonlySet<number>): Generator<ArchiveMessage> {
  for (const { name, minute, content } of objects)
    if (minutes.has(minute)) yield { kind: "archive", name, minute, content };
}
