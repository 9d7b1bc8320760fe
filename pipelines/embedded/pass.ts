import {
  FromResource,
  flatten,
  generate,
  P,
  type PCollection,
  provideResource,
  runDirect,
  withdrawResource,
  withName,
} from "../../engine";
import type { Archive, ArchivedObject, DeadLetters, EmbeddedLog, LogEntry, StreamState } from "../../io/ports";
import type { ArchiveName, BatchMessage, Message } from "../../transforms/elements";
import { readArchive } from "../../transforms/read-archive";
import type { WrittenCells } from "../../transforms/written-cells";
import { type CountingOptions, countingGraph } from "../counting-graph";
import { archiveEntries } from "./archive-entries";
import type { EmbeddedPaneCache } from "./pane-cache";

export interface PassDependencies {
  log: Pick<EmbeddedLog, "read" | "firstAfter">;
  archive: Archive;
  state: StreamState;
  deadLetters: DeadLetters;
  panes: EmbeddedPaneCache;
  writtenCells: WrittenCells;
}

export interface PassOptions {
  /** Names this stream's archive objects; the same for the life of the data folder. */
  writer: string;
  maxEntries: number;
  maxBytes: number;
  counting: CountingOptions;
}

export interface PassResult {
  /** The log is counted up to here. */
  position: number;
  events: number;
  minutes: number;
  /** Minutes that were recounted whole from the archive. */
  recounted: number;
  /** Whether the pass took all there was. */
  caughtUp: boolean;
}

/**
 * One pass of the embedded stream: new log entries -> archive -> the minutes they touch -> one run of the counting graph -> checkpoint.
 * A crash anywhere repeats a step that changes nothing: the range is remembered before its objects are written, objects are named
 * after it, counts are absolute. Returns undefined where the log has nothing new.
 */
export async function runPass(deps: PassDependencies, options: PassOptions): Promise<PassResult | undefined> {
  const { state, panes } = deps;
  const entries = await nextEntries(deps, options);
  if (entries.length === 0) return undefined;
  const position = entries[entries.length - 1]!.position;
  const { objects, payloads } = await archiveEntries(entries, options.writer, deps.archive, deps.deadLetters);
  const minutes = objects.map(({ minute }) => minute);
  const listed = await listedObjects(state, objects);
  const recount = new Set(minutes.filter((minute) => !panes.holds(minute, listed.get(minute)?.size ?? 0)));
  panes.forget(recount);
  deps.writtenCells.forget(recount);
  try {
    await runGraph(deps.archive, payloads, recount, minutes, options.counting);
    await state.completePass(position, objects, minutes);
  } catch (error) {
    panes.forget(minutes);
    deps.writtenCells.forget(minutes);
    throw error;
  }
  for (const { minute, name } of objects) panes.keep(minute, (listed.get(minute) ?? new Set()).add(name).size);
  panes.trim();
  const events = entries.reduce((sum, entry) => sum + entry.events, 0);
  const caughtUp = (await deps.log.firstAfter(position)) === undefined;
  return { position, events, minutes: minutes.length, recounted: recount.size, caughtUp };
}

/** The entries after the checkpoint; after a crash exactly the range it left, so that its objects get the same names and content. */
async function nextEntries(
  { log, state }: PassDependencies,
  { maxEntries, maxBytes }: PassOptions,
): Promise<LogEntry[]> {
  const checkpoint = await state.checkpoint();
  const pending = await state.pending();
  if (pending === undefined || pending.toPosition <= checkpoint) {
    const entries = await log.read(checkpoint, maxEntries, maxBytes);
    if (entries.length > 0) {
      await state.setPending({ fromPosition: entries[0]!.position, toPosition: entries[entries.length - 1]!.position });
    }
    return entries;
  }
  const entries: LogEntry[] = [];
  for (
    let after = pending.fromPosition - 1;
    after < pending.toPosition;
    after = entries[entries.length - 1]!.position
  ) {
    const more = await log.read(after, maxEntries, maxBytes);
    const inRange = more.filter(({ position }) => position <= pending.toPosition);
    if (inRange.length === 0)
      throw new Error(`the log has lost entries ${after + 1} to ${pending.toPosition}, which are not counted yet`);
    entries.push(...inRange);
  }
  return entries;
}

/** Names of the objects already listed for the minutes the pass touches. */
async function listedObjects(
  state: StreamState,
  objects: readonly ArchivedObject[],
): Promise<Map<number, Set<string>>> {
  const listed = new Map<number, Set<string>>();
  const minutes = objects.map(({ minute }) => minute).sort((a, b) => a - b);
  for (let from = 0; from < minutes.length; ) {
    let to = from + 1;
    while (to < minutes.length && minutes[to]! - minutes[to - 1]! <= 2) to++;
    for (const { minute, name } of await state.archivedObjects(minutes[from]!, minutes[to - 1]! + 1)) {
      const names = listed.get(minute) ?? new Set();
      listed.set(minute, names.add(name));
    }
    from = to;
  }
  return listed;
}

async function runGraph(
  archive: Archive,
  payloads: readonly Uint8Array[],
  recount: ReadonlySet<number>,
  minutes: readonly number[],
  counting: CountingOptions,
): Promise<void> {
  const names: ArchiveName[] = [];
  for (const minute of recount)
    for (const { name } of await archive.list(minute, minute + 1)) names.push({ name, minute });
  provideResource(NEW_MESSAGES, newMessages(payloads, recount, minutes));
  provideResource(OBJECT_NAMES, names);
  try {
    await runDirect((root) => {
      const fresh: PCollection<Message> = generate(root, "NewMessages", new FromResource<Message>(NEW_MESSAGES));
      const archived: PCollection<Message> = readArchive(
        generate(root, "ObjectNames", new FromResource<ArchiveName>(OBJECT_NAMES)),
      );
      countingGraph(P([fresh, archived]).apply(withName("Messages", flatten<Message>())), counting);
    });
  } finally {
    withdrawResource(NEW_MESSAGES);
    withdrawResource(OBJECT_NAMES);
  }
}

const NEW_MESSAGES = "embedded/new-messages";
const OBJECT_NAMES = "embedded/object-names";

/** New batches as messages, without the events of minutes that are recounted from the archive (which has them by now). */
function* newMessages(
  payloads: readonly Uint8Array[],
  recount: ReadonlySet<number>,
  minutes: readonly number[],
): Generator<BatchMessage> {
  const wanted = minutes.filter((minute) => !recount.has(minute));
  if (wanted.length === 0) return;
  for (const payload of payloads) {
    yield recount.size === 0 ? { kind: "batch", payload } : { kind: "batch", payload, minutes: wanted };
  }
}
