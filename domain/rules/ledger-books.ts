import { isBackfilled } from "../archive-name";
import { type Acceptance, acceptedOf, type MinuteBooks, type SettledLate, withSettled } from "./books";

/** What the books take from a listed object. */
interface BookedObject {
  name: string;
  events: number;
  accepted?: number;
  direct?: number;
  messages?: readonly { id: string; events: number; accepted: number; direct?: number }[];
}

/** What an object, or the messages of several, add to a minute. */
export type ObjectSums = Omit<Acceptance, "promised"> & { archived: number };

/** Sums the objects of one minute. A message that is in two of them counts once. */
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

type BookedMinute = MinuteBooks & Acceptance & { minute: number; reusedIds: number };

interface Parts {
  objects: ObjectSums | undefined;
  promised: number;
  stream: StreamSums;
  settled: SettledLate;
}

/** Puts the books of minutes together from what a store keeps of them, in any order. */
export class LedgerBooks {
  private readonly parts = new Map<number, Parts>();

  object(minute: number, object: BookedObject): void {
    const parts = this.of(minute);
    if (!(parts.objects instanceof MinuteObjectSums)) parts.objects = new MinuteObjectSums();
    (parts.objects as MinuteObjectSums).add(object);
  }

  /** Instead of the objects one by one. */
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

  settled(minute: number, settled: SettledLate): void {
    this.of(minute).settled = settled;
  }

  /** Ascending. */
  minutes(): BookedMinute[] {
    return [...this.parts].sort(([a], [b]) => a - b).map(([minute, parts]) => bookedMinute(minute, parts));
  }

  private of(minute: number): Parts {
    let parts = this.parts.get(minute);
    if (parts === undefined) {
      const stream = { counted: 0, duplicate: 0, late: 0, reusedIds: 0 };
      parts = { objects: undefined, promised: 0, stream, settled: { counted: 0, duplicate: 0 } };
      this.parts.set(minute, parts);
    }
    return parts;
  }
}

function bookedMinute(minute: number, { objects, promised, stream, settled }: Parts): BookedMinute {
  const { archived = 0, declared = 0, direct = 0, backfilled = 0 } = objects ?? {};
  const { counted, duplicate, late } = withSettled(stream, settled);
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
    reusedIds: stream.reusedIds,
  };
}
