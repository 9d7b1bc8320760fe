// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { countByMinute } from "../domain/columns/event-columns";
import { ingestProducer } from "../intake/receipt";
import type { RejectedEvent, TakenEvents } from "../intake/taken";
import { encodeBatch, withReceivedAt } from "../io/formats/avro/batch";
import {
  type DeadLetters,
  type EventLog,
  LogFullError,
  type NewDeadLetter,
  type ReceiptStamps,
  StoreUnavailableError,
} from "../io/ports";
import { agreeOnStamps } from "./agree-on-stamps";
import { overloaded, type Problem, unavailable } from "./problem";
import { MAX_SHARING_EVENTS, type SharedAppends } from "./shared-appends";
import type { StampBook } from "./stamp-book";

interface Stores {
  log: EventLog;
  /** Entries of that log for small requests. */
  shared: SharedAppends;
  deadLetters: DeadLetters;
  stampBook: StampBook;
  /** Where instances agree on stamps; absent: this one is alone, and the log keeps them. */
  receiptStamps?: ReceiptStamps;
}

/**
 * Makes the accepted events durable in the log, at the stamps that hold, then the rejected ones in the dead letters;
 * undefined once both are. In this order, because a log that is full (the usual reason to be sent again) must not leave
 * a second dead letter at every retry; events that come again are duplicates, which the counting knows.
 */
export async function storeEvents(
  taken: TakenEvents,
  { log, shared, deadLetters, stampBook, receiptStamps }: Stores,
): Promise<Problem | undefined> {
  const { receivedAtMs } = taken;
  return refusalOf(async () => {
    if (receiptStamps !== undefined) await agreeOnStamps(taken, stampBook, receiptStamps);
    if (taken.message === undefined && taken.columns.count > 0 && taken.columns.count <= MAX_SHARING_EVENTS) {
      await shared.append(taken);
    } else if (taken.columns.count > 0) {
      const stamps = stampBook.toPersist(taken.stamps);
      await log.append({
        payload: messageOf(taken),
        events: taken.columns.count,
        acceptedByMinute: countByMinute(taken.columns),
        ...(stamps.length > 0 ? { stamps } : {}),
      });
      stampBook.markDurable(taken.stamps);
    }
    if (taken.rejected.length > 0) {
      await deadLetters.append(taken.rejected.map((rejected) => letterOf(rejected, receivedAtMs)));
    }
  });
}

/** Keeps a body nobody could read, whole, so that it can be sent again after a fix. */
export function storeMalformed(
  letter: Omit<NewDeadLetter, "source">,
  { deadLetters }: Pick<Stores, "deadLetters">,
): Promise<Problem | undefined> {
  return refusalOf(() => deadLetters.append([{ ...letter, source: "ingest" }]));
}

/** The batch says whose verdict it carries: readers judge its events no more. */
function messageOf({ message, columns, receivedAtMs }: TakenEvents): Uint8Array {
  if (message !== undefined) return withReceivedAt(message, receivedAtMs, ingestProducer);
  return encodeBatch(columns, { receivedAtMs, producerId: ingestProducer(), batchId: randomUUID() });
}

function letterOf(rejected: RejectedEvent, receivedAtMs: number): NewDeadLetter {
  const { reason, detail, payload, contentType, eventId } = rejected;
  return {
    receivedAtMs,
    reason,
    detail,
    payload,
    contentType,
    source: "ingest",
    ...(eventId === null ? {} : { eventId }),
  };
}

/** The answer for a store that is full or away; any other failure is a bug and thrown on. */
async function refusalOf(store: () => Promise<void>): Promise<Problem | undefined> {
  try {
    await store();
    return undefined;
  } catch (error) {
    if (error instanceof LogFullError) return overloaded(error.message);
    if (error instanceof StoreUnavailableError) return unavailable("the store cannot write now");
    throw error;
  }
}
