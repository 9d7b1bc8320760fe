// SPDX-License-Identifier: Apache-2.0
import type { ClosingAdmin } from "./closing-admin";

/** The precision of the answer: the message is younger than stated by at most this, or by this part of its age. */
const RESOLUTION_MS = 50;
const RESOLUTION_OF_AGE = 0.05;
const FIRST_STEP_MS = 1_000;

interface Waiting {
  partition: number;
  /** The first offset that is not done and still exists. */
  first: number;
}

/**
 * Finds when the oldest message that a group has not finished was appended, by the brokers' clock alone. Brokers give
 * no message's time without the message, but they find the first offset at or after a time, for all partitions at once.
 * So the time is searched, in doubling steps from a guess, then by bisection. The search takes about ten small requests
 * when messages wait, and two when none does. A partition ends where its log ends, not at its last stable offset,
 * because messages behind an open transaction wait, too. The archiver reports with it how far it is behind.
 */
export class GroupLag {
  /** The first existing offset of each partition, as last seen. */
  starts: ReadonlyMap<number, number> = new Map();
  /** No waiting message was appended before this time, as last seen. */
  #notBeforeMs = 0;

  constructor(
    private readonly admin: ClosingAdmin,
    private readonly topic: string,
    private readonly groupId: string,
  ) {}

  /**
   * Returns undefined where everything is done. The search begins at `aboutNowMs`; a wrong value costs requests.
   * Rejects with kafkajs's errors.
   */
  async oldestWaitingMs(aboutNowMs: number): Promise<number | undefined> {
    const waiting = await this.#waiting();
    if (waiting.length === 0) return undefined;
    let behind = aboutNowMs;
    let clear = Math.min(this.#notBeforeMs, behind);
    let waits = await this.#waitsBefore(behind, waiting);
    for (let stepMs = FIRST_STEP_MS; !waits; stepMs *= 2) {
      clear = behind;
      behind += stepMs;
      waits = await this.#waitsBefore(behind, waiting);
    }
    if (clear === 0 || (await this.#waitsBefore(clear, waiting))) {
      clear = behind;
      for (let stepMs = FIRST_STEP_MS; clear > 0; stepMs *= 2) {
        clear = Math.max(0, behind - stepMs);
        if (clear === 0 || !(await this.#waitsBefore(clear, waiting))) break;
        behind = clear;
      }
    }
    while (behind - clear > Math.max(RESOLUTION_MS, RESOLUTION_OF_AGE * (aboutNowMs - behind))) {
      const middle = Math.floor((clear + behind) / 2);
      if (await this.#waitsBefore(middle, waiting)) behind = middle;
      else clear = middle;
    }
    this.#notBeforeMs = clear;
    return clear;
  }

  async #waiting(): Promise<Waiting[]> {
    const [ends, groups] = await Promise.all([
      this.admin.ask((admin) => admin.fetchTopicOffsets(this.topic)),
      this.admin.ask((admin) => admin.fetchOffsets({ groupId: this.groupId, topics: [this.topic] })),
    ]);
    this.starts = new Map(ends.map(({ partition, low }) => [partition, Number(low)]));
    const committed = new Map(groups[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return ends
      .map(({ partition, low, high }) => ({
        partition,
        first: Math.max(committed.get(partition) ?? 0, Number(low)),
        end: Number(high),
      }))
      .filter(({ first, end }) => first < end);
  }

  /** Returns whether a waiting message was appended before `timeMs`. */
  async #waitsBefore(timeMs: number, waiting: readonly Waiting[]): Promise<boolean> {
    const offsets = await this.admin.ask((admin) => admin.fetchTopicOffsetsByTimestamp(this.topic, timeMs));
    const from = new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    return waiting.some(({ partition, first }) => first < (from.get(partition) ?? 0));
  }
}
