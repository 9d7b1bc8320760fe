// SPDX-License-Identifier: Apache-2.0
/** The queue between a fetch and the archiver. The reading side of the log has one for each of its partitions. */

/**
 * The messages that a reader has fetched of one partition and not finished: a rule of offsets alone, without a broker.
 */
export interface Fetched {
  offset: number;
  sizeBytes: number;
}

/** The position that a group has committed, with the end of the range that was in work then. */
export interface CommittedPosition {
  offset: number;
  redoThrough?: number;
}

/** A contiguous range of offsets, both ends included, with its messages. */
export interface TakenRange<Message extends Fetched> {
  first: number;
  last: number;
  messages: Message[];
}

/**
 * Yields the ranges [from, to) of offsets, from `nextOffset` to the last of `offsets` (ascending), that are missing in
 * `offsets`. Every offset of a log holds a record or a transaction's marker, so a missing offset has been removed.
 */
export function* gapsIn(nextOffset: number, offsets: Iterable<number>): Iterable<[from: number, to: number]> {
  let next = nextOffset;
  for (const offset of offsets) {
    if (offset > next) yield [next, offset];
    next = offset + 1;
  }
}

export class PartitionQueue<Message extends Fetched> {
  #waiting: Message[] = [];
  #waitingBytes = 0;
  #position: number;
  #nextOffset: number;
  #redoThrough: number | undefined;
  #open: TakenRange<Message> | undefined;

  constructor(committed: CommittedPosition) {
    this.#position = committed.offset;
    this.#nextOffset = committed.offset;
    this.#redoThrough = committed.redoThrough;
  }

  /** The offset at which the next fetch must begin. */
  get nextOffset(): number {
    return this.#nextOffset;
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  /** Whether more must be fetched, however much waits: a range that is taken again is returned whole only. */
  get incomplete(): boolean {
    return this.#redoThrough !== undefined && this.#nextOffset <= this.#redoThrough;
  }
  /** The first message of the next `take`; undefined when it would return none. */
  get ready(): Message | undefined {
    return this.#open !== undefined || this.incomplete ? undefined : this.#waiting[0];
  }

  /** Returns whether `take` would return the same after further fetches. */
  fills(maxMessages: number, maxBytes: number): boolean {
    return this.#redoThrough !== undefined || this.#waiting.length >= maxMessages || this.#waitingBytes >= maxBytes;
  }

  /**
   * The group's position after the open range is done: behind the range, and behind offsets without a message where no
   * message waits.
   */
  get afterOpen(): number {
    return this.#waiting.length === 0 && this.#redoThrough === undefined ? this.#nextOffset : this.#open!.last + 1;
  }
  /** The group's position while the partition has nothing to take or to finish; undefined otherwise. */
  get idleAt(): number | undefined {
    const idle = this.#waiting.length === 0 && this.#open === undefined && this.#redoThrough === undefined;
    return idle ? this.#nextOffset : undefined;
  }

  /**
   * Adds messages fetched from `nextOffset` on. `throughOffset` is the last offset that the fetch covered, which may
   * hold no message.
   */
  push(messages: readonly Message[], throughOffset: number): void {
    for (const message of messages) {
      this.#waiting.push(message);
      this.#waitingBytes += message.sizeBytes;
    }
    this.#nextOffset = throughOffset + 1;
    this.#dropEmptyRedo();
    this.#position = this.idleAt ?? this.#position;
  }

  /**
   * Continues at `offset`, because earlier offsets no longer exist. A range to be taken again keeps its name, with its
   * remaining messages.
   */
  skipTo(offset: number): void {
    this.#nextOffset = offset;
    this.#dropEmptyRedo();
    this.#position = this.idleAt ?? this.#position;
  }

  /**
   * Returns the next range, of at most `maxMessages` and about `maxBytes` (at least one message). A range to be taken
   * again is returned whole.
   */
  take(maxMessages: number, maxBytes: number): TakenRange<Message> | undefined {
    if (this.ready === undefined) return undefined;
    const count =
      this.#redoThrough === undefined ? this.#fitting(maxMessages, maxBytes) : this.#through(this.#redoThrough);
    const messages = this.#waiting.splice(0, count);
    for (const { sizeBytes } of messages) this.#waitingBytes -= sizeBytes;
    const last = this.#redoThrough ?? messages[messages.length - 1]!.offset;
    this.#redoThrough = undefined;
    this.#open = { first: this.#position, last, messages };
    return this.#open;
  }

  /** Notes that the open range is done, and that the group is at `position` (`afterOpen`, when it was asked for). */
  finish(position: number): void {
    this.#position = position;
    this.#open = undefined;
  }

  /** Puts the open range back, to be taken again unchanged. */
  giveBack(): void {
    const { messages, last } = this.#open!;
    this.#waiting.unshift(...messages);
    for (const { sizeBytes } of messages) this.#waitingBytes += sizeBytes;
    this.#redoThrough = last;
    this.#open = undefined;
  }

  #fitting(maxMessages: number, maxBytes: number): number {
    let count = 0;
    let bytes = 0;
    for (const { sizeBytes } of this.#waiting) {
      if (count > 0 && (count >= maxMessages || bytes + sizeBytes > maxBytes)) break;
      bytes += sizeBytes;
      count++;
    }
    return count;
  }

  #through(offset: number): number {
    const beyond = this.#waiting.findIndex((message) => message.offset > offset);
    return beyond < 0 ? this.#waiting.length : beyond;
  }

  /** Drops a range to be taken again whose messages the log has dropped. */
  #dropEmptyRedo(): void {
    if (this.#redoThrough === undefined || this.incomplete) return;
    const first = this.#waiting[0];
    if (first !== undefined && first.offset <= this.#redoThrough) return;
    this.#position = this.#redoThrough + 1;
    this.#redoThrough = undefined;
  }
}
