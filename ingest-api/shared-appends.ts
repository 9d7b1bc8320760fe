// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { countByMinute, type EventColumns, EventColumnsBuilder } from "../domain/columns/event-columns";
import { ingestProducer } from "../intake/receipt";
import type { TakenEvents } from "../intake/taken";
import { encodeBatch } from "../io/formats/avro/batch";
import type { EventLog, Stamp } from "../io/ports";
import type { StampBook } from "./stamp-book";

/** Requests of more events have an entry of their own. */
export const MAX_SHARING_EVENTS = 16;
/** An entry is full with as many: a request's own entry has no more. */
const MAX_ENTRY_EVENTS = 4_096;

interface SharedEntry {
  events: EventColumnsBuilder;
  stamps: Stamp[];
  appended: Promise<void>;
}

/**
 * Log entries that small requests share: the requests of one turn of the event loop that were received in the same
 * millisecond, so that each event keeps its receipt. An entry costs the log and its readers far more than an event
 * does. `storeEvents` appends the events of small requests with it.
 */
export class SharedAppends {
  private readonly open = new Map<number, SharedEntry>();

  constructor(
    private readonly log: EventLog,
    private readonly stampBook: StampBook,
  ) {}

  /** Resolves once the events are durable; rejects as EventLog.append does, for all that share the entry. */
  append({ columns, stamps, receivedAtMs }: TakenEvents): Promise<void> {
    const entry = this.open.get(receivedAtMs) ?? this.begin(receivedAtMs);
    for (let row = 0; row < columns.count; row++) entry.events.addRow(columns, row);
    entry.stamps.push(...stamps);
    if (entry.events.size >= MAX_ENTRY_EVENTS) this.open.delete(receivedAtMs);
    return entry.appended;
  }

  private begin(receivedAtMs: number): SharedEntry {
    const turn = new Promise<void>((resolve) => setImmediate(resolve));
    const entry: SharedEntry = {
      events: new EventColumnsBuilder(),
      stamps: [],
      appended: turn.then(() => {
        if (this.open.get(receivedAtMs) === entry) this.open.delete(receivedAtMs);
        return this.write(entry.events.build(), entry.stamps, receivedAtMs);
      }),
    };
    this.open.set(receivedAtMs, entry);
    return entry;
  }

  private async write(columns: EventColumns, stamps: readonly Stamp[], receivedAtMs: number): Promise<void> {
    const header = { receivedAtMs, producerId: ingestProducer(), batchId: randomUUID() };
    const missing = this.stampBook.toPersist(stamps);
    await this.log.append({
      payload: encodeBatch(columns, header),
      events: columns.count,
      acceptedByMinute: countByMinute(columns),
      ...(missing.length > 0 ? { stamps: missing } : {}),
    });
    this.stampBook.markDurable(stamps);
  }
}
