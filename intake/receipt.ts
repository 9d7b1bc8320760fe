// SPDX-License-Identifier: Apache-2.0
/**
 * The receipt time of a batch message, and the judge of its events. Both are functions of the message and of its append
 * time, so that every reader, now and after any redelivery, gets the same answer. Headers and attributes do not reach
 * the stream on every runner. `Ingest` gives the receipt to what it stores; the stream and the archiver read it from
 * the message.
 */
import { MINUTE_MS } from "../domain/rules/time";

/**
 * The producerId of the write API's batches. A client's own id follows it: `ingest/player-7`. No direct producer may
 * use this prefix.
 */
const INGEST_PRODUCER = "ingest";
const OF_CLIENT = `${INGEST_PRODUCER}/`;

/**
 * The largest difference between the clocks of direct producers, brokers and watermarks. A receipt farther from the
 * append is not believed.
 */
export const MAX_CLOCK_DIFFERENCE_MS = 10 * MINUTE_MS;

export interface Receipt {
  receivedAtMs: number;
  /** Whether the write API has judged the events. No other clock judges them again then. */
  alreadyAccepted: boolean;
}

/** Returns the producerId under which the write API writes a batch of its own making, or one that a client has sent. */
export function ingestProducer(clientId = ""): string {
  if (clientId === INGEST_PRODUCER || clientId.startsWith(OF_CLIENT)) return clientId;
  return clientId === "" ? INGEST_PRODUCER : `${OF_CLIENT}${clientId}`;
}

const isOfIngest = (producerId: string): boolean => producerId === INGEST_PRODUCER || producerId.startsWith(OF_CLIENT);

/**
 * Returns the receipt of a batch. A batch of the write API was received at its stated time and is accepted: the verdict
 * travels with the batch. A direct producer's batch was received at its stated time where that time is within
 * MAX_CLOCK_DIFFERENCE_MS of the append. Otherwise (also where it states 0) it was received at its append.
 */
export function receiptOf(batch: { receivedAtMs: number; producerId: string }, appendedAtMs: number): Receipt {
  const { receivedAtMs, producerId } = batch;
  if (receivedAtMs > 0 && isOfIngest(producerId)) return { receivedAtMs, alreadyAccepted: true };
  const isNear = Math.abs(receivedAtMs - appendedAtMs) <= MAX_CLOCK_DIFFERENCE_MS;
  return { receivedAtMs: isNear ? receivedAtMs : appendedAtMs, alreadyAccepted: false };
}
