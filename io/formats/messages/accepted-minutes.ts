// SPDX-License-Identifier: Apache-2.0
/**
 * The declaration of a batch (events by minute of event time) as text for a message header. The text consists of
 * entries joined by `,`, in ascending order. An entry is a minute, the first in full and the others as the distance
 * from the entry before, followed by `:` and the number of events where that is not 1. All numbers are in base 36. A
 * minute of 500 events is `hsyw0:dw`. The write API's batches carry it, and the archiver books with it what was
 * accepted.
 */
import type { LogBatch } from "../../ports";

/**
 * The largest text. A batch of 10,000 events (the write API's maximum) over six years fits, whatever its minutes: an
 * entry costs 3 bytes when it is less than 1,296 minutes after the one before, and six years have no room for many
 * larger distances.
 */
export const MAX_ACCEPTED_TEXT_BYTES = 32 * 1024;

/**
 * Encodes a declaration. Throws a RangeError where the minutes do not add up to `events`, are not countable, or make
 * the text too long. Each of these is the caller's bug.
 */
export function encodeAccepted({ events, acceptedByMinute }: Pick<LogBatch, "events" | "acceptedByMinute">): string {
  let accepted = 0;
  let before = 0;
  const entries: string[] = [];
  for (const minute of [...acceptedByMinute.keys()].sort((a, b) => a - b)) {
    const count = acceptedByMinute.get(minute)!;
    if (!Number.isSafeInteger(minute) || !Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`minute ${minute} with ${count} events is not countable`);
    }
    const place = (minute - before).toString(36);
    entries.push(count === 1 ? place : `${place}:${count.toString(36)}`);
    accepted += count;
    before = minute;
  }
  if (accepted !== events) {
    throw new RangeError(`a batch of ${events} events says that ${accepted} were accepted`);
  }
  const text = entries.join(",");
  if (text.length > MAX_ACCEPTED_TEXT_BYTES) {
    throw new RangeError(`the minutes of a batch take ${text.length} bytes (bound ${MAX_ACCEPTED_TEXT_BYTES})`);
  }
  return text;
}

const ENTRY = /^(-?[0-9a-z]{1,11})(?::([0-9a-z]{1,11}))?$/;

/**
 * Decodes a declaration. Returns undefined for a text that `encodeAccepted` never writes; a foreign declaration counts
 * as none.
 */
export function decodeAccepted(text: string): Map<number, number> | undefined {
  const accepted = new Map<number, number>();
  if (text === "") return accepted;
  if (text.length > MAX_ACCEPTED_TEXT_BYTES) return undefined;
  let minute = 0;
  for (const entry of text.split(",")) {
    const [, place, count = "1"] = ENTRY.exec(entry) ?? [];
    if (place === undefined) return undefined;
    const step = Number.parseInt(place, 36);
    const events = Number.parseInt(count, 36);
    if (accepted.size > 0 && step <= 0) return undefined;
    minute += step;
    if (!Number.isSafeInteger(minute) || !Number.isSafeInteger(events)) return undefined;
    accepted.set(minute, events);
  }
  return accepted;
}
