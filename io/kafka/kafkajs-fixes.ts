/**
 * Two repairs of kafkajs 2.2.4, whose classes are not exported; importing this file applies them.
 *
 * 1. RequestQueue looks for queued requests every millisecond for ever, even when there are none, with a negative delay, which
 *    Node 24 reports as TimeoutNegativeWarning (kafkajs issues 1704 and 1751). Repaired: a look is scheduled when something is queued.
 * 2. Runner.commitOffsets resolves without a commit while the consumer is stopped or has crashed, and repeats a failed commit
 *    with whatever generation the group has by then, so a reader that lost a partition could move its position. Repaired: one
 *    attempt, in the generation of the call; what fails rejects.
 */
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

const LOOK_AGAIN_MS = 10;

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
