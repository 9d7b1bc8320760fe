import { type AcceptanceRules, parseEvent } from "../domain/event";
import { type EventColumns, EventColumnsBuilder } from "../domain/event-columns";
import type { Rejection, RejectionReason } from "../domain/rejection";
import { extraJson, extraProblem } from "../io/json/extra-fields";
import type { Stamp } from "../io/ports";
import type { StampBook } from "./stamp-book";

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
