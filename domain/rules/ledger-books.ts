// SPDX-License-Identifier: Apache-2.0
/**
 * The sums behind a minute's books: the accepted messages and the listed objects, each counted once. Every ledger
 * adapter keeps its books with them.
 */
import { isBackfilled } from "../archive-name";
import { type Acceptance, acceptedOf, lostOf, type MinuteBooks, type Settled, withSettled } from "./books";

/** The fields of a listed object that the books use. */
interface BookedObject {
  name: string;
  events: number;
  accepted?: number;
  direct?: number;
  messages?: readonly { id: string; events: number; accepted: number; direct?: number }[];
}

/** Whether an object was removed past the raw retention: its events stay in the books, and in the roll-ups. */
export const isExpired = ({ events, sizeBytes }: { events: number; sizeBytes: number }): boolean =>
  events > 0 && sizeBytes === 0;

/** The numbers that an object, or the messages of several objects, add to a minute. */
export type ObjectSums = Omit<Acceptance, "promised"> & { archived: number };

/** Adds up the objects of one minute. A message that two of them hold counts once. */
export class MinuteObjectSums implements ObjectSums {
  archived = 0;
  declared = 0;
  direct = 0;
  backfilled = 0;
  private readonly seen = new Set<string>();

  add({ name, events, accepted = 0, direct = 0, messages }: BookedObject): void {
    const unseen = messages?.filter(({ id }) => !this.seen.has(id)) ?? [{ events, accepted, direct }];
    for (const message of unseen) {
      const ofDirect = message.direct ?? 0;
      this.archived += message.events;
      this.declared += message.accepted - ofDirect;
      this.direct += ofDirect;
      if (isBackfilled(name)) this.backfilled += message.events;
    }
    for (const { id } of messages ?? []) this.seen.add(id);
  }
}

type StreamSums = Pick<MinuteBooks, "counted" | "duplicate" | "late"> & { reusedIds: number };

/** Accepted events of a minute that an audit found in no archive, and that an operator has written off. */
export interface WriteOff {
  minute: number;
  events: number;
  /** The operator's own words. */
  reason: string;
  /** When the loss was written off. */
  atMs: number;
  /** The audit that found the loss. */
  auditId: string;
}

type BookedMinute = MinuteBooks &
  Acceptance & { minute: number; reusedIds: number; isSettled?: boolean; writtenOff?: WriteOff };

interface Parts {
  objects: ObjectSums | undefined;
  promised: number;
  stream: StreamSums;
  settled: Settled | undefined;
  writtenOff: WriteOff | undefined;
}

/** Computes the books of minutes from the records of a store, which may be added in any order. */
export class LedgerBooks {
  private readonly parts = new Map<number, Parts>();

  object(minute: number, object: BookedObject): void {
    const parts = this.of(minute);
    if (!(parts.objects instanceof MinuteObjectSums)) parts.objects = new MinuteObjectSums();
    (parts.objects as MinuteObjectSums).add(object);
  }

  /** Adds the sums of a minute's objects, for a store that does not give the objects one by one. */
  objects(minute: number, sums: ObjectSums): void {
    this.of(minute).objects = sums;
  }

  promised(minute: number, events: number): void {
    this.of(minute).promised += events;
  }

  stream(minute: number, { counted, duplicate, late, reusedIds }: StreamSums): void {
    const { stream } = this.of(minute);
    stream.counted += counted;
    stream.duplicate += duplicate;
    stream.late += late;
    stream.reusedIds += reusedIds;
  }

  /**
   * Adds an audit's numbers. An audit of the whole minute takes precedence over one that counted late events alone,
   * which an earlier release wrote.
   */
  settled(minute: number, settled: Settled): void {
    const parts = this.of(minute);
    if (parts.settled?.archived !== undefined && settled.archived === undefined) return;
    parts.settled = settled;
  }

  writtenOff(writeOff: WriteOff): void {
    this.of(writeOff.minute).writtenOff = writeOff;
  }

  /** Returns the minutes in ascending order. */
  minutes(): BookedMinute[] {
    return [...this.parts].sort(([a], [b]) => a - b).map(([minute, parts]) => bookedMinute(minute, parts));
  }

  private of(minute: number): Parts {
    let parts = this.parts.get(minute);
    if (parts === undefined) {
      const stream = { counted: 0, duplicate: 0, late: 0, reusedIds: 0 };
      parts = { objects: undefined, promised: 0, stream, settled: undefined, writtenOff: undefined };
      this.parts.set(minute, parts);
    }
    return parts;
  }
}

function bookedMinute(minute: number, { objects, promised, stream, settled, writtenOff }: Parts): BookedMinute {
  const { archived = 0, declared = 0, direct = 0, backfilled = 0 } = objects ?? {};
  const { counted, duplicate, late } = withSettled({ ...stream, archived }, settled ?? NOTHING_SETTLED);
  const accepted = acceptedOf({ promised, declared, direct, backfilled });
  return {
    minute,
    accepted,
    promised,
    declared,
    direct,
    backfilled,
    archived,
    counted,
    duplicate,
    late,
    lost: lostOf({ accepted, archived }, writtenOff?.events ?? 0),
    reusedIds: stream.reusedIds,
    ...(settled?.archived !== undefined && { isSettled: true }),
    ...(writtenOff !== undefined && { writtenOff }),
  };
}

const NOTHING_SETTLED: Settled = { counted: 0, duplicate: 0 };
