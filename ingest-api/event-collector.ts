import { type AcceptanceRules, parseEvent } from "../domain/event";
import { type EventColumns, EventColumnsBuilder } from "../domain/event-columns";
import type { Rejection, RejectionReason } from "../domain/rejection";
import type { Stamp } from "../io/ports";
import { nestsDeeperThan } from "./json-text";
import type { StampBook } from "./stamp-book";

/** Levels of nesting the unknown fields of an event may have: whatever reads them later may recurse. */
export const MAX_EXTRA_DEPTH = 64;

/** Takes decoded JSON values one by one: good ones go into columns, the others are rejections. */
export class EventCollector {
  readonly rejections: Rejection[] = [];
  readonly stamps: Stamp[] = [];
  /** The stamp book had no room: the whole request is to be refused. */
  stampsFull = false;
  private readonly builder = new EventColumnsBuilder();

  constructor(
    private readonly rules: AcceptanceRules,
    private readonly stampBook: StampBook,
    private readonly maxEventBytes: number,
  ) {}

  add(raw: unknown, index: number): void {
    const parsed = parseEvent(raw, this.rules);
    if (!parsed.ok) {
      this.reject(index, parsed.eventId, parsed.reason, parsed.detail);
      return;
    }
    const { event } = parsed;
    let extraText: string | undefined;
    if (event.extra !== undefined) {
      extraText = extraJson(event.extra);
      const problem = extraProblem(extraText, this.maxEventBytes);
      if (problem !== undefined) {
        this.reject(index, event.eventId, "too-large", problem);
        return;
      }
    }
    if (parsed.stampNeeded) {
      const key = `${event.eventId}\0${event.videoId}\0${event.eventType}`;
      const stamp = this.stampBook.stampOf(key, this.rules.receivedAtMs);
      if (stamp === undefined) {
        this.stampsFull = true;
        return;
      }
      this.stamps.push(stamp);
      event.eventTimeMs = stamp.stampedAtMs;
    }
    this.builder.add(event, extraText);
  }

  reject(index: number, eventId: string | null, reason: RejectionReason, detail: string): void {
    // Through UTF-8 once: a lone surrogate is answered and stored as the same replacement character.
    const shownId = eventId === null ? null : Buffer.from(eventId).toString();
    this.rejections.push({ index, eventId: shownId, reason, detail });
  }

  columns(): EventColumns {
    return this.builder.build();
  }
}

/** Undefined where V8's recursive JSON.stringify runs out of stack: a few thousand levels. */
function extraJson(extra: Record<string, unknown>): string | undefined {
  try {
    return JSON.stringify(extra);
  } catch {
    return undefined;
  }
}

/** Why the unknown fields of an event cannot be kept, or undefined. */
export function extraProblem(extraText: string | undefined, maxEventBytes: number): string | undefined {
  if (extraText === undefined || nestsDeeperThan(extraText, MAX_EXTRA_DEPTH)) {
    return `unknown fields are nested deeper than ${MAX_EXTRA_DEPTH} levels`;
  }
  // A UTF-16 unit is at most 3 bytes of UTF-8: the exact length is needed only near the bound.
  if (extraText.length * 3 > maxEventBytes && Buffer.byteLength(extraText) > maxEventBytes) {
    return `the event is larger than ${maxEventBytes} bytes`;
  }
  return undefined;
}
