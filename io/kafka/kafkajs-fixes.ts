// SPDX-License-Identifier: Apache-2.0
/**
 * Five repairs of kafkajs 2.2.4, whose classes are not exported; importing this file applies them.
 *
 * 1. RequestQueue looks for queued requests every millisecond for ever, even when there are none, with a negative
 *    delay, which
 *    Node 24 reports as TimeoutNegativeWarning (kafkajs issues 1704 and 1751). Repaired: a look is scheduled when
 *    something is queued.
 * 2. Runner.commitOffsets resolves without a commit while the consumer is stopped or has crashed, and repeats a failed
 *    commit
 *    with whatever generation the group has by then, so a reader that lost a partition could move its position.
 *    Repaired: one
 *    attempt, in the generation of the call; what fails rejects.
 * 3. A consumer that reads committed records only gives records of aborted transactions all the same: it takes the
 *    aborted transactions in the
 *    order in which they ended (two that overlap: the first records of the longer one pass), at most one a record, and
 *    takes any record
 *    whose key is four zero bytes for an abort marker. Repaired: the rule of Kafka's own consumer
 *    (aborted-transactions.ts) marks the records as
 *    control records, which kafkajs leaves out.
 * 4. A fetch that holds nothing to hand out (markers, aborted records) never reaches `eachBatch`, so a reader that
 *    checks offsets for gaps would not
 *    see them. Repaired: it reaches `eachBatch`, with no messages.
 * 5. Broker.listOffsets without an isolation level asks for the last stable offset as a partition's end, so records
 *    behind an open transaction are
 *    not among those that wait. Repaired: the end is the end of the log; consumers, which name their level, keep it.
 */
import { type AbortedTransaction, abortedRecords, type FetchedRecord } from "./aborted-transactions";

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

interface Runner {
  running: boolean;
  consumerGroup: { commitOffsets(offsets: unknown): Promise<void> };
  commitOffsets(offsets: unknown): Promise<void>;
}

interface FetchAnswer {
  responses: {
    partitions: { messages: FetchedRecord[]; abortedTransactions?: AbortedTransaction[] }[];
  }[];
}

interface Broker {
  fetch(request: { isolationLevel?: number }): Promise<FetchAnswer>;
  listOffsets(request: { isolationLevel?: number }): Promise<unknown>;
}

interface Batch {
  rawMessages: unknown[];
  isEmpty(): boolean;
  isEmptyDueToFiltering(): boolean;
}

const LOOK_AGAIN_MS = 10;
const READ_UNCOMMITTED = 0;

const { prototype: queue } = require("kafkajs/src/network/requestQueue") as { prototype: RequestQueue };
queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const throttledMs = this.throttledUntil - Date.now();
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    throttledMs > 0 ? throttledMs : LOOK_AGAIN_MS,
  );
};

const { prototype: runner } = require("kafkajs/src/consumer/runner") as { prototype: Runner };
runner.commitOffsets = async function (this: Runner, offsets: unknown) {
  if (!this.running) throw new Error("the consumer is not running");
  await this.consumerGroup.commitOffsets(offsets);
};

const { prototype: broker } = require("kafkajs/src/broker") as { prototype: Broker };
const { fetch, listOffsets } = broker;
broker.fetch = async function (this: Broker, request) {
  const answer = await fetch.call(this, request);
  for (const { partitions } of answer.responses) {
    for (const partition of partitions) {
      const transactions = partition.abortedTransactions ?? [];
      for (const record of abortedRecords(partition.messages, transactions)) record.isControlRecord = true;
      partition.abortedTransactions = [];
    }
  }
  return answer;
};
broker.listOffsets = function (this: Broker, request) {
  return listOffsets.call(this, { ...request, isolationLevel: request.isolationLevel ?? READ_UNCOMMITTED });
};

const { prototype: batch } = require("kafkajs/src/consumer/batch") as { prototype: Batch };
batch.isEmptyDueToFiltering = () => false;
batch.isEmpty = function (this: Batch) {
  return this.rawMessages.length === 0;
};
