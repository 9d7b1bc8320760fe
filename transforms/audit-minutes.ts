import { hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isBackfilled } from "../domain/archive-name";
import type { MinuteCounts } from "../domain/minute-counts";
import { addToCell, type CellDifference, type ComparedCell, cellKey, differences } from "../domain/reconcile";
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
import type { Archive, ArchivedObject, ArchiveObject, CounterStore, Ledger, LogProgress } from "../io/ports";
import { MinuteRecount, type Recount } from "./minute-recount";
import { RESOURCES } from "./resource-names";

export interface AuditedMinute {
  minute: number;
  objects: number;
  events: number;
  distinct: number;
  reusedIds: number;
  cells: number;
  /** Why the minute could not be compared; empty where it could. */
  notComparable: string;
  changeSequence: number;
  differences: (CellDifference & { lastMsInMinute: number })[];
}

export interface AuditOptions {
  /** The stream's lateness rule: what it sets aside is not counted here either. -1: nothing is late. */
  allowedLatenessMs: number;
}

export type Audited = {
  minutes: AuditedMinute;
  /** 64-bit hashes of the minute's distinct event ids, keyed by hour and the hash's partition. */
  ids: KV<string, { hashes: Uint8Array }>;
};

const MINUTES_IN_FLIGHT = 1;
const MINUTES_AN_HOUR = 60;
/** How often a minute that changes while it is compared is compared again, and how long a pass may take to list its objects. */
const ATTEMPTS = 10;
const LISTING_DEADLINE_MS = 15_000;
const LISTING_POLL_MS = 100;
export const ID_PARTITIONS = 16;

/** Ids are compared within an hour, in parts that fit into memory. */
export const idKey = (minute: number, partition: number): string =>
  `${Math.floor(minute / MINUTES_AN_HOUR)}-${partition}`;

/**
 * Recounts minutes from the archive, each by itself, and compares every cell with the CounterStore, in both directions.
 * In: minutes. Out: `minutes`: what was found; `ids`: for reuse across minutes. Rejects: none; a minute that cannot be compared says why.
 * Windowing: global. Replay: reads again, finds the same.
 */
export function auditMinutes(minutes: PCollection<number>, options: AuditOptions) {
  const audited = minutes
    .map(withName("KeyByMinute", keyByMinute))
    .apply(withName("SpreadMinutes", groupByKey<string, number>()))
    .apply(awaitableParDo("AuditMinute", new AuditMinute(RESOURCES, options), { maxInFlight: MINUTES_IN_FLIGHT }));
  return splitByTag<Audited>("MinutesAndIds", audited, { minutes: true, ids: true });
}

export const keyByMinute = (minute: number): KV<string, number> => ({ key: String(minute), value: minute });

export class AuditMinute implements AwaitableDoFn<KV<string, Iterable<number>>, Tagged<Audited>> {
  private hour: StoredHour | undefined;

  constructor(
    readonly names: { archive: string; counterStore: string; ledger: string; logProgress: string },
    readonly options: AuditOptions,
  ) {}

  async *process({ key }: KV<string, Iterable<number>>): AsyncGenerator<Tagged<Audited>> {
    const minute = Number(key);
    const { recount, ...found } = await this.compare(minute);
    yield { minutes: found };
    if (recount === undefined) return;
    for (const [partition, hashes] of hashIds(recount.eventIds))
      yield { ids: { key: idKey(minute, partition), value: { hashes } } };
  }

  /** Optimistic: what was compared holds if neither the minute's objects nor its counters changed meanwhile. */
  private async compare(minute: number): Promise<AuditedMinute & { recount?: Recount }> {
    const state = resource<Ledger>(this.names.ledger);
    const archive = resource<Archive>(this.names.archive);
    for (let attempt = 1; ; attempt++) {
      await this.untilListed(minute);
      const stored = await this.storedHour(minute, attempt > 1);
      const sequence = stored.sequences.get(minute) ?? 0;
      const objects = await archive.list(minute, minute + 1);
      const result = await this.compareOnce(minute, objects, storedCells(stored.counts.get(minute)), sequence);
      const same =
        ((await state.changeSequences(minute, minute + 1)).get(minute) ?? 0) === sequence &&
        sameNames(objects, await archive.list(minute, minute + 1));
      if (same || attempt === ATTEMPTS) {
        return same
          ? result
          : { ...result, differences: [], notComparable: "the minute kept changing while it was compared" };
      }
    }
  }

  /** An object that is not listed yet belongs to a pass under way (or to one that died: then it never is, and the wait ends). */
  private async untilListed(minute: number): Promise<void> {
    const deadline = performance.now() + LISTING_DEADLINE_MS;
    while (performance.now() < deadline) {
      const listed = new Set((await this.listed(minute)).map(({ name }) => name));
      const objects = await resource<Archive>(this.names.archive).list(minute, minute + 1);
      if (objects.every(({ name }) => listed.has(name)) || !(await this.streamIsBehind())) return;
      await delay(LISTING_POLL_MS);
    }
  }

  private streamIsBehind(): Promise<boolean> {
    return resource<LogProgress>(this.names.logProgress).behind();
  }

  private listed(minute: number): Promise<ArchivedObject[]> {
    return resource<Ledger>(this.names.ledger).archivedObjects(minute, minute + 1);
  }

  private async compareOnce(
    minute: number,
    objects: readonly ArchiveObject[],
    stored: ReadonlyMap<string, ComparedCell>,
    changeSequence: number,
  ): Promise<AuditedMinute & { recount?: Recount }> {
    const recount = new MinuteRecount(minute);
    const archive = resource<Archive>(this.names.archive);
    let notComparable = "";
    const eventsOf = new Map<string, number>();
    for (const { name } of objects) {
      try {
        const content = await archive.read(name);
        const allowedLatenessMs = isBackfilled(name) ? -1 : this.options.allowedLatenessMs;
        eventsOf.set(name, await recount.addObject(content, allowedLatenessMs));
      } catch (error) {
        notComparable ||= `${name}: ${(error as Error).message}`;
      }
    }
    const counted = recount.finish();
    notComparable ||= await this.gap(minute, eventsOf);
    const { events, distinct, reusedIds, cells } = counted;
    const found: AuditedMinute = {
      minute,
      objects: objects.length,
      events,
      distinct,
      reusedIds,
      cells: new Set([...cells.keys(), ...stored.keys()]).size,
      notComparable,
      changeSequence,
      differences: (notComparable === "" ? differences(cells, stored) : []).map((difference) => ({
        ...difference,
        lastMsInMinute: cells.get(cellKey(difference.videoId, difference.eventType))?.lastMsInMinute ?? 0,
      })),
    };
    return { ...found, recount: counted };
  }

  /** What the ledger knows of the archive and the archive does not have. A repair from less than everything would lose events. */
  private async gap(minute: number, eventsOf: ReadonlyMap<string, number>): Promise<string> {
    const listed = await this.listed(minute);
    for (const { name, events } of listed) {
      const found = eventsOf.get(name);
      if (found === undefined) return `${name}: listed with ${events} events, but not in the archive`;
      if (found !== events) return `${name}: listed with ${events} events, has ${found}`;
    }
    if (await this.streamIsBehind()) return "";
    const accepted =
      (await resource<LogProgress>(this.names.logProgress).accepted(minute, minute + 1)).get(minute) ?? 0;
    let archived = 0;
    for (const [name, events] of eventsOf) if (!isBackfilled(name)) archived += events;
    return accepted > archived ? `${accepted} events accepted, ${archived} in the archive` : "";
  }

  /**
   * The stored cells of the minute's hour, read once an hour, because the store keeps an hour together. The change sequences are read before the
   * cells, so a change in between or later shows as a sequence that has moved.
   */
  private async storedHour(minute: number, again: boolean): Promise<StoredHour> {
    const hour = Math.floor(minute / MINUTES_AN_HOUR);
    if (this.hour?.hour === hour && !again) return this.hour;
    const [from, to] = [hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR];
    this.hour = undefined;
    const sequences = await resource<Ledger>(this.names.ledger).changeSequences(from, to);
    const counts = new Map<number, MinuteCounts>();
    for await (const each of resource<CounterStore>(this.names.counterStore).minuteCells(from, to))
      counts.set(each.minute, each);
    this.hour = { hour, sequences, counts };
    return this.hour;
  }
}

interface StoredHour {
  hour: number;
  sequences: ReadonlyMap<number, number>;
  counts: ReadonlyMap<number, MinuteCounts>;
}

function storedCells(counts: MinuteCounts | undefined): Map<string, ComparedCell> {
  const cells = new Map<string, ComparedCell>();
  if (counts === undefined) return cells;
  for (let row = 0; row < counts.counts.length; row++) {
    const sum = (BigInt(counts.sumHigh[row]!) << 32n) + BigInt(counts.sumLow[row]!);
    addToCell(
      cells,
      counts.videos[counts.videoIndex[row]!]!,
      counts.types[counts.typeIndex[row]!]!,
      counts.counts[row]!,
      sum,
      counts.valued[row]!,
    );
  }
  return cells;
}

function sameNames(before: readonly ArchiveObject[], after: readonly ArchiveObject[]): boolean {
  return before.length === after.length && before.every(({ name }, i) => name === after[i]!.name);
}

const FIRST_HASHES = 64;
const HASH_BLOCK = 16_384;

/** The first 64 bits of each id's MD5 (speed, not secrecy), in blocks by partition. */
function* hashIds(eventIds: Iterable<string>): Generator<[number, Uint8Array]> {
  const blocks = Array.from({ length: ID_PARTITIONS }, () => ({ bytes: Buffer.alloc(FIRST_HASHES * 8), used: 0 }));
  for (const eventId of eventIds) {
    const digest = hash("md5", eventId, "buffer");
    const partition = digest[8]! % ID_PARTITIONS;
    const block = blocks[partition]!;
    digest.copy(block.bytes, block.used, 0, 8);
    block.used += 8;
    if (block.used < block.bytes.length) continue;
    if (block.used < HASH_BLOCK * 8) block.bytes = Buffer.concat([block.bytes], block.used * 2);
    else {
      yield [partition, Uint8Array.from(block.bytes)];
      block.used = 0;
    }
  }
  for (const [partition, { bytes, used }] of blocks.entries())
    if (used > 0) yield [partition, Uint8Array.from(bytes.subarray(0, used))];
}

register("transforms/audit-minutes", exports);
