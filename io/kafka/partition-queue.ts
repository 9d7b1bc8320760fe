// SPDX-License-Identifier: Apache-2.0
/** What a reader has fetched of one partition and not finished: a rule of offsets only, without a broker. */
export interface Fetched {
  offset: number;
  sizeBytes: number;
}

/** The position a group has committed, and the end of the range that was being worked on then. */
export interface CommittedPosition {
  offset: number;
  redoThrough?: number;
}

/** A contiguous range of offsets, both ends included, and the messages that are in it. */
export interface TakenRange<Message extends Fetched> {
  first: number;
  last: number;
  messages: Message[];
}

/**
 * Ranges [from, to) of offsets, from `nextOffset` to the last of `offsets` (ascending), that are not among them. Every
 * offset of a log holds a record or a transaction's marker, so what is missing has been removed.
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

  /** Where the next fetch must begin. */
  get nextOffset(): number {
    return this.#nextOffset;
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  /** More must be fetched, whatever waits already: a range that is taken again is only given whole. */
  get incomplete(): boolean {
    return this.#redoThrough !== undefined && this.#nextOffset <= this.#redoThrough;
  }
  /** The first message that `take` would give; undefined when it would give nothing. */
  get ready(): Message | undefined {
    return this.#open !== undefined || this.incomplete ? undefined : this.#waiting[0];
  }

  /** Waiting for more would change nothing of what `take` gives. */
  fills(maxMessages: number, maxBytes: number): boolean {
    return this.#redoThrough !== undefined || this.#waiting.length >= maxMessages || this.#waitingBytes >= maxBytes;
  }

  /**
   * Where the group's position belongs once the open range is done: behind it, and behind what holds no message where
   * nothing waits.
   */
  get afterOpen(): number {
    return this.#waiting.length === 0 && this.#redoThrough === undefined ? this.#nextOffset : this.#open!.last + 1;
  }
  /**
   * Where the group's position belongs while there is nothing of the partition to take or to finish; undefined while
   * there is.
   */
  get idleAt(): number | undefined {
    const idle = this.#waiting.length === 0 && this.#open === undefined && this.#redoThrough === undefined;
    return idle ? this.#nextOffset : undefined;
  }

  /**
   * Adds what was fetched from `nextOffset` on; `throughOffset` is the last offset that the fetch covered, which may
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
   * Goes on at `offset`: what lies before no longer exists. A range to be taken again keeps its name, with what is left
   * of it.
   */
  skipTo(offset: number): void {
    this.#nextOffset = offset;
    this.#dropEmptyRedo();
    this.#position = this.idleAt ?? this.#position;
  }

  /**
   * The next range, of at most `maxMessages` and about `maxBytes` (at least one message); a range to be taken again
   * comes whole.
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

  /** The open range is done, and the group is at `position` (`afterOpen`, when it was asked for). */
  finish(position: number): void {
    this.#position = position;
    this.#open = undefined;
  }

  /** The open range is to be taken again, as it is. */
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

  /** A range of which nothing is left (the log has dropped it) is not taken again. */
  #dropEmptyRedo(): void {
    if (this.#redoThrough === undefined || this.incomplete) return;
    const first = this.#waiting[0];
    if (first !== undefined && first.offset <= this.#redoThrough) return;
    this.#position = this.#redoThrough + 1;
    this.#redoThrough = undefined;
  }
}
