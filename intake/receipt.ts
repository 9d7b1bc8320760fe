// SPDX-License-Identifier: Apache-2.0
/**
 * When a batch message was received, and by whom it was judged: a function of the message and of the time when the log
 * appended it, so that every reader, now and after any redelivery, comes to the same answer. Headers and attributes do
 * not reach the stream on every runner.
 */
import { MINUTE_MS } from "../domain/rules/time";

/**
 * The producerId of what the write API writes. A client's own stands behind it: `ingest/player-7`. No direct producer
 * may use it.
 */
const INGEST_PRODUCER = "ingest";
const OF_CLIENT = `${INGEST_PRODUCER}/`;

/**
 * Clocks of direct producers, brokers and watermarks differ by less than this; a receipt that lies farther from the
 * append is not believed.
 */
export const MAX_CLOCK_DIFFERENCE_MS = 10 * MINUTE_MS;

export interface Receipt {
  receivedAtMs: number;
  /** The write API has judged the events: no other clock judges them again. */
  alreadyAccepted: boolean;
}

/** The producerId under which the write API writes a batch of its own making, or one that a client has sent. */
export function ingestProducer(clientId = ""): string {
  if (clientId === INGEST_PRODUCER || clientId.startsWith(OF_CLIENT)) return clientId;
  return clientId === "" ? INGEST_PRODUCER : `${OF_CLIENT}${clientId}`;
}

const isOfIngest = (producerId: string): boolean => producerId === INGEST_PRODUCER || producerId.startsWith(OF_CLIENT);

/**
 * What the write API wrote was received when it says, and accepted: the verdict travels with the batch. A direct
 * producer's batch was received when it says within MAX_CLOCK_DIFFERENCE_MS of the append, otherwise (also where it
 * says 0) when the log appended it.
 */
export function receiptOf(batch: { receivedAtMs: number; producerId: string }, appendedAtMs: number): Receipt {
  const { receivedAtMs, producerId } = batch;
  if (receivedAtMs > 0 && isOfIngest(producerId)) return { receivedAtMs, alreadyAccepted: true };
  const isNear = Math.abs(receivedAtMs - appendedAtMs) <= MAX_CLOCK_DIFFERENCE_MS;
  return { receivedAtMs: isNear ? receivedAtMs : appendedAtMs, alreadyAccepted: false };
}
