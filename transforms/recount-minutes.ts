// SPDX-License-Identifier: Apache-2.0
import { hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isBackfilled } from "../domain/archive-name";
import { isFinalMinute, setsAside } from "../domain/rules/lateness";
import { MINUTES_AN_HOUR } from "../domain/rules/time";
import {
  type AwaitableDoFn,
  awaitableParDo,
  groupByKey,
  type KV,
  type PCollection,
  register,
  resource,
  splitByTag,
  type Tagged,
  withName,
} from "../engine";
import {
  type Archive,
  type ArchiveObject,
  type CounterStore,
  type Ledger,
  type LogProgress,
  type RolledHour,
  StoreUnavailableError,
} from "../io/ports";
import {
  type AuditOptions,
  type AuditUnit,
  type HourElement,
  hourKey,
  type IdBlock,
  type RecountBooks,
  unitKey,
  unitOf,
} from "./audit-elements";
import { grownTo } from "./byte-table";
import { encodeCells } from "./cell-columns";
import { HourReads, type MinuteReads } from "./hour-reads";
import { MinuteRecount } from "./minute-recount";
import { leftoversOf, missingOf, NO_LOSS } from "./missing-events";
import { RESOURCES } from "./resource-names";

type Recounted = {
  hours: KV<string, HourElement>;
  ids: KV<string, IdBlock>;
};

/** A worker holds one part of one minute at a time. */
const UNITS_IN_FLIGHT = 1;
const POLL_MS = 200;
const IDS_A_BLOCK = 32_768;
const FIRST_WORDS = 64;

/**
 * Recounts parts of minutes from the archive. A part reads all objects of its minute and keeps its own ids: events
 * cross no shuffle, and as many workers share a heavy minute as it has parts. In: units. Out: `hours`: cells and books
 * by hour and part of the videos; `ids`: hashes of the ids by their partition. Rejects: none; books say why a minute
 * cannot be compared. Windowing: global. Replay: reads the archive again, and finds the same events or more. It is the
 * first step of the audit's graph.
 */
export function recountMinutes(units: PCollection<AuditUnit>, options: AuditOptions) {
  const recounted = units
    .map(withName("KeyByUnit", keyByUnit))
    .apply(withName("SpreadUnits", groupByKey<string, number>()))
    .apply(awaitableParDo("RecountMinute", new RecountMinute(RESOURCES, options), { maxInFlight: UNITS_IN_FLIGHT }));
  return splitByTag<Recounted>("CellsAndIds", recounted, { hours: true, ids: true });
}

export const keyByUnit = (unit: AuditUnit): KV<string, number> => ({ key: unitKey(unit), value: unit.minute });

interface Names {
  archive: string;
  counterStore: string;
  ledger: string;
  logProgress: string;
}

export class RecountMinute implements AwaitableDoFn<KV<string, Iterable<number>>, Tagged<Recounted>> {
  waitedMs = 0;
  /** The worker makes the reads; a DoFn that travels has none. */
  reads: HourReads | undefined;

  constructor(
    readonly names: Names,
    readonly options: AuditOptions,
  ) {}

  async *process({ key }: KV<string, Iterable<number>>): AsyncGenerator<Tagged<Recounted>> {
    const unit = unitOf(key);
    if (unit.of === 0) {
      yield* this.toAllParts(unit.minute, {});
      return;
    }
    const { books, recount } = await this.recount(unit);
    yield* this.toAllParts(unit.minute, { books });
    const { counters } = this;
    for (const [part, cells] of recount.cells(this.options.videoParts, (videoId) => counters.partOf(videoId))) {
      yield {
        hours: { key: hourKey(hourOf(unit.minute), part), value: { minute: unit.minute, cells: encodeCells(cells) } },
      };
    }
    yield* this.ids(unit.minute, recount);
  }

  /**
   * Yields the element to all parts of the videos: each comparison must know of every minute, whether its own videos
   * have events in the minute or not.
   */
  private *toAllParts(minute: number, element: Omit<HourElement, "minute">): Generator<Tagged<Recounted>> {
    for (let part = 0; part < this.options.videoParts; part++)
      yield { hours: { key: hourKey(hourOf(minute), part), value: { minute, ...element } } };
  }

  private async recount(unit: AuditUnit): Promise<{ books: RecountBooks; recount: MinuteRecount }> {
    const { minute, part, of, events } = unit;
    const { names } = this;
    const sources = {
      archive: this.archive,
      ledger: resource<Ledger>(names.ledger),
      progress: resource<LogProgress>(names.logProgress),
    };
    this.reads ??= new HourReads(Date.now);
    let reads = await this.reads.of(minute, sources);
    // Past the raw retention the archive has later events only, and the counters know of no others.
    const rolled = await this.counters.rolledHour?.(hourOf(minute));
    if (rolled !== undefined) reads = { ...reads, accepted: 0 };
    for (;;) {
      const { objects, changeSequence, archivedThroughMs, askedAtMs } = reads;
      const recount = new MinuteRecount(minute, { part, of, seed: this.options.seeds[0] }, events);
      const { eventsOf, unreadable: damage } = await this.readAll(objects, recount);
      // A part of a minute cannot tell whether another part has the events of a leftover elsewhere.
      const again = of === 1 ? await this.eventsAgain(reads, eventsOf, recount) : 0;
      const { gap, isUnlisted, ...missing } = missingOf(reads, eventsOf);
      // Objects and events may be on their way. A gap is real only when every event accepted before has been archived.
      const mayCome = archivedThroughMs <= askedAtMs;
      if ((gap !== "" || isUnlisted) && mayCome && (await this.waits())) {
        reads = await this.reads.again(minute, reads, sources);
        continue;
      }
      const isFinal = isFinalMinute(minute, this.options.finalBeforeMs);
      const { rolledBooks, unreadable = damage } = await rolledBooksOf(minute, rolled, reads);
      const loss = unreadable !== "" || mayCome || !isFinal ? NO_LOSS : missing.loss;
      const found = { counted: recount.totals(), changeSequence, notComparable: unreadable || gap, ...missing, loss };
      found.repeated += again;
      const archive = { objects: objects.length, objectsKey: objectsKey(objects) };
      const books = { minute, part, of, ...archive, ...found, ...(rolledBooks && { rolledBooks }) };
      return { books, recount };
    }
  }

  private async readAll(objects: readonly ArchiveObject[], recount: MinuteRecount) {
    const eventsOf = new Map<string, number>();
    let unreadable = "";
    for (const { name } of objects) {
      try {
        const content = await this.archive.read(name);
        // The stream of a cluster reads the log alone. The stream of one machine recounts whole minutes from the
        // archive, whichever writer filled it.
        const { allowedLatenessMs } = this.options;
        const isUnseen = setsAside(allowedLatenessMs) && isBackfilled(name);
        eventsOf.set(name, recount.addObject(content, isUnseen ? "backfill" : { lateAfterMs: allowedLatenessMs }));
      } catch (error) {
        unreadable ||= `${name}: ${(error as Error).message}`;
      }
    }
    return { eventsOf, unreadable };
  }

  /**
   * Returns the events of leftovers that other objects have, too, and leaves in `eventsOf` the others. A minute with
   * leftovers is read once more without them.
   */
  private async eventsAgain(
    reads: MinuteReads,
    eventsOf: Map<string, number>,
    recount: MinuteRecount,
  ): Promise<number> {
    const leftovers = leftoversOf(reads);
    if (leftovers.size === 0) return 0;
    const minute = reads.objects[0]!.minute;
    const without = new MinuteRecount(minute);
    await this.readAll(
      reads.objects.filter(({ name }) => !leftovers.has(name)),
      without,
    );
    const alone = recount.totals().distinct - without.totals().distinct;
    let events = 0;
    for (const [n, name] of [...leftovers].entries()) {
      events += eventsOf.get(name) ?? 0;
      eventsOf.set(name, n === 0 ? alone : 0);
    }
    return events - alone;
  }

  /** Returns whether there is time left to read the minute again. */
  private async waits(): Promise<boolean> {
    if (this.waitedMs >= this.options.patienceMs) return false;
    await delay(POLL_MS);
    this.waitedMs += POLL_MS;
    return true;
  }

  private *ids(minute: number, recount: MinuteRecount): Generator<Tagged<Recounted>> {
    const { seeds, idPartitions } = this.options;
    const blocks = Array.from({ length: idPartitions }, () => new HashBlock());
    const full: [number, Uint8Array][] = [];
    recount.eachIdHash(seeds, (first, second) => {
      const partition = (second >>> 0) % idPartitions;
      const block = blocks[partition]!;
      block.push(first, second);
      if (block.length === IDS_A_BLOCK * 2) full.push([partition, block.take()]);
    });
    blocks.forEach((block, partition) => {
      if (block.length > 0) full.push([partition, block.take()]);
    });
    for (const [partition, hashes] of full) yield { ids: { key: String(partition), value: { minute, hashes } } };
  }

  private get counters(): CounterStore {
    return resource<CounterStore>(this.names.counterStore);
  }
  private get archive(): Archive {
    return resource<Archive>(this.names.archive);
  }
}

/** Hashes on their way into an IdBlock. */
class HashBlock {
  length = 0;
  private words = new Int32Array(FIRST_WORDS);

  push(first: number, second: number): void {
    if (this.length === this.words.length) this.words = grownTo(this.words, new Int32Array(this.length * 2));
    this.words[this.length++] = first;
    this.words[this.length++] = second;
  }

  take(): Uint8Array {
    const hashes = new Uint8Array(this.words.slice(0, this.length).buffer);
    this.length = 0;
    return hashes;
  }
}

/** The sources of a rolled minute's books. */
async function rolledBooksOf(
  minute: number,
  rolled: RolledHour | undefined,
  { objects, books }: MinuteReads,
): Promise<{ rolledBooks?: NonNullable<RecountBooks["rolledBooks"]>; unreadable?: string }> {
  if (rolled === undefined || books === undefined) return {};
  const { archived } = books;
  if (objects.length === 0) return { rolledBooks: { archived } };
  try {
    return { rolledBooks: { archived, counted: await rolled.counted(minute) } };
  } catch (error) {
    if (error instanceof StoreUnavailableError) return { rolledBooks: { archived }, unreadable: error.message };
    throw error;
  }
}

const hourOf = (minute: number): number => Math.floor(minute / MINUTES_AN_HOUR);

/**
 * Returns a key of the folder's state. Objects are replaced whole, under their names: another size is another object.
 */
export function objectsKey(objects: readonly ArchiveObject[]): string {
  return hash("sha256", objects.map(({ name, sizeBytes }) => `${name}:${sizeBytes}`).join(" "), "base64url");
}

register(module);
