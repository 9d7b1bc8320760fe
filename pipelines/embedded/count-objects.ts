// SPDX-License-Identifier: Apache-2.0
/**
 * Counts the archive objects that a pass of the embedded stream has just written (pass.ts calls it): they go through
 * the counting graph into the counter store.
 */
import {
  FromResource,
  flatten,
  generate,
  KeptGraph,
  P,
  type PCollection,
  provideResource,
  type Root,
  withdrawResource,
  withName,
} from "../../engine";
import type { Archive, ArchivedObject, EmbeddedLedger } from "../../io/ports";
import type { ArchiveName, Message } from "../../transforms/elements";
import { readArchive } from "../../transforms/read-archive";
import { type CountingOptions, countingGraph } from "../counting-graph";
import { type EmbeddedPaneCache, objectKey } from "./pane-cache";

export interface CountingDependencies {
  archive: Archive;
  ledger: Pick<EmbeddedLedger, "archivedObjects">;
  panes: EmbeddedPaneCache;
}

/** The counting options that a caller of the embedded stream chooses; the stream sets the others itself. */
export type EmbeddedCounting = Omit<CountingOptions, "writtenCells" | "inProcess">;

/** By minute, the archive objects that the ledger lists. */
type Listed = ReadonlyMap<number, readonly ArchivedObject[]>;

/**
 * Counts the minutes of newly written objects in one run of the counting graph. A minute whose pane in memory already
 * holds every listed object gets only `fresh` added. Any other minute is counted whole from the archive. `complete`
 * then lists the new objects in the ledger. If anything fails before it ends, the panes of these minutes are dropped.
 * Returns how many minutes were counted from the archive.
 */
export async function countObjects(
  { archive, panes }: CountingDependencies,
  counting: EmbeddedCounting,
  objects: readonly ArchivedObject[],
  listed: Listed,
  fresh: (minutes: ReadonlySet<number>) => Iterable<Message>,
  complete: (minutes: readonly number[]) => Promise<void>,
): Promise<number> {
  const minutes = objects.map(({ minute }) => minute);
  const before = (minute: number) => new Set((listed.get(minute) ?? []).map(objectKey));
  const held = (object: ArchivedObject) => panes.holds(object.minute, before(object.minute), objectKey(object));
  const continued = new Set(objects.filter(held).map(({ minute }) => minute));
  const recount = new Set(minutes.filter((minute) => !continued.has(minute)));
  panes.forget(recount);
  const read = new Map<number, Set<string>>();
  try {
    const names: ArchiveName[] = [];
    for (const minute of recount) {
      const there = await archive.list(minute, minute + 1);
      read.set(minute, new Set(there.map(objectKey)));
      for (const { name } of there) names.push({ name, minute });
    }
    await runGraph(names, continued.size === 0 ? [] : fresh(continued), counting);
    await complete(minutes);
  } catch (error) {
    panes.forget(minutes);
    throw error;
  }
  for (const object of objects)
    panes.keep(object.minute, before(object.minute).add(objectKey(object)), read.get(object.minute));
  panes.trim();
  return recount.size;
}

async function runGraph(
  names: readonly ArchiveName[],
  messages: Iterable<Message>,
  counting: EmbeddedCounting,
): Promise<void> {
  provideResource(NEW_MESSAGES, messages);
  provideResource(OBJECT_NAMES, names);
  try {
    await graphOf(counting).run();
  } finally {
    withdrawResource(NEW_MESSAGES);
    withdrawResource(OBJECT_NAMES);
  }
}

let kept: { key: string; graph: KeptGraph } | undefined;

/**
 * Returns the graph with these options, which is kept from pass to pass: a stream's options change once a minute, with
 * the first minute that is not final.
 */
function graphOf(counting: EmbeddedCounting): KeptGraph {
  const key = JSON.stringify(counting);
  if (kept?.key !== key) kept = { key, graph: new KeptGraph((root) => embeddedGraph(root, counting)) };
  return kept.graph;
}

function embeddedGraph(root: Root, counting: EmbeddedCounting): void {
  const fresh: PCollection<Message> = generate(root, "NewMessages", new FromResource<Message>(NEW_MESSAGES));
  const archived: PCollection<Message> = readArchive(
    generate(root, "ObjectNames", new FromResource<ArchiveName>(OBJECT_NAMES)),
  );
  countingGraph(P([fresh, archived]).apply(withName("Messages", flatten<Message>())), {
    ...counting,
    inProcess: true,
    writtenCells: "",
  });
}

const NEW_MESSAGES = "embedded/new-messages";
const OBJECT_NAMES = "embedded/object-names";

export interface PassBounds {
  /** The largest number of minutes that one run counts, which is also the largest number of objects it writes. */
  maxMinutes: number;
  /** The largest number of archived events that one run counts again; a single minute may exceed it. */
  maxRecountEvents: number;
}

/**
 * Returns the newest of these minutes that fit into one run, newest first and at least one, with the objects listed for
 * them.
 */
export async function newestWithin(
  { ledger, panes }: Pick<CountingDependencies, "ledger" | "panes">,
  minutes: Iterable<number>,
  { maxMinutes, maxRecountEvents }: PassBounds,
): Promise<{ taken: number[]; listed: Listed }> {
  const newest = [...minutes].sort((a, b) => b - a).slice(0, maxMinutes);
  const listed = await listedObjects(ledger, newest);
  const taken: number[] = [];
  let recounted = 0;
  for (const minute of newest) {
    const objects = listed.get(minute) ?? [];
    const held = panes.holds(minute, new Set(objects.map(objectKey)));
    if (!held) recounted += objects.reduce((sum, { events }) => sum + events, 0);
    if (taken.length > 0 && recounted > maxRecountEvents) break;
    taken.push(minute);
  }
  return { taken, listed };
}

/**
 * Returns the listed objects of minutes, which are in descending order. Minutes at most two apart are read with one
 * query.
 */
async function listedObjects(ledger: CountingDependencies["ledger"], minutes: readonly number[]): Promise<Listed> {
  const listed = new Map<number, ArchivedObject[]>();
  for (let from = 0; from < minutes.length; ) {
    let to = from + 1;
    while (to < minutes.length && minutes[to - 1]! - minutes[to]! <= 2) to++;
    for (const object of await ledger.archivedObjects(minutes[to - 1]!, minutes[from]! + 1)) {
      const objects = listed.get(object.minute);
      if (objects === undefined) listed.set(object.minute, [object]);
      else objects.push(object);
    }
    from = to;
  }
  return listed;
}
