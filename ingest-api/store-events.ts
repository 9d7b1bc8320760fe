// SPDX-License-Identifier: Apache-2.0
/**
 * The durable end of the write API: `Ingest` calls it for what the intake judged, and answers 202 only when it
 * resolves.
 */
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
  /** Groups small requests into shared entries of the log. */
  shared: SharedAppends;
  deadLetters: DeadLetters;
  stampBook: StampBook;
  /** The store in which instances agree on stamps; absent: this instance is alone, and the log keeps the stamps. */
  receiptStamps?: ReceiptStamps;
}

/**
 * Makes the accepted events durable in the log, with their final stamps, and then the rejected events in the dead
 * letters. Resolves with undefined once both are durable. The order has a reason: a full log is the usual cause of a
 * retry, and must not leave a second dead letter at each retry. Events that are sent again are duplicates, which the
 * counting removes.
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

/** Keeps an unreadable body, whole, so that it can be sent again after a fix. */
export function storeMalformed(
  letter: Omit<NewDeadLetter, "source">,
  { deadLetters }: Pick<Stores, "deadLetters">,
): Promise<Problem | undefined> {
  return refusalOf(() => deadLetters.append([{ ...letter, source: "ingest" }]));
}

/** Builds the message. The batch says whose verdict it carries, so that readers judge its events no more. */
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

/** Returns the answer for a store that is full or away. Any other failure is a bug and is thrown on. */
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
