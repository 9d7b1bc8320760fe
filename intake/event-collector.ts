// SPDX-License-Identifier: Apache-2.0
import { EventColumnsBuilder } from "../domain/columns/event-columns";
import { EVENT_FIELD_NAMES, type FieldNames, type NumberTexts, parseEvent, type VideoEvent } from "../domain/event";
import type { Rejection, RejectionReason } from "../domain/rejection";
import type { Stamp } from "../io/ports";
import { CLOUD_EVENT_NAMES, type CloudEventNames, cloudEventFields, isCloudEvent } from "./json/cloud-event";
import { extraJson, extraProblem, oversizedName } from "./json/extra-fields";
import type { NumberSource } from "./json/number-texts";
import type { IntakeRules, RejectedEvent, Taken } from "./taken";

/**
 * Judges decoded JSON values one by one: accepted events go into columns, the others become rejections. The readers of
 * JSON bodies and of NDJSON lines (take-json.ts, take-lines.ts) put every value of theirs into it.
 */
export class EventCollector {
  private readonly rejections: (Rejection & { isCloudEvent: boolean })[] = [];
  private readonly stamps: Stamp[] = [];
  private readonly stampedRows: number[] = [];
  /** Whether the stamp book had no room, so that the whole request must be refused. */
  private stampsFull = false;
  private readonly builder = new EventColumnsBuilder();

  constructor(private readonly rules: IntakeRules) {}

  /** Judges one value: an event of ours, or a CloudEvent that declares itself as one. */
  add(raw: unknown, index: number, source: NumberSource): void {
    if (isCloudEvent(raw)) this.addCloudEvent(raw, index, source);
    else this.addFields(raw, index, EVENT_FIELD_NAMES, textsOf(raw, index, source));
  }

  addCloudEvent(raw: unknown, index: number, source: NumberSource, names: CloudEventNames = CLOUD_EVENT_NAMES): void {
    const mapped = cloudEventFields(raw, index, source, names);
    if (mapped.ok) this.addFields(mapped.fields, index, names, mapped.texts);
    else this.reject(index, mapped.eventId, mapped.reason, mapped.detail, names);
  }

  private addFields(raw: unknown, index: number, names: FieldNames, texts: NumberTexts | undefined): void {
    const parsed = parseEvent(raw, this.rules, names, texts);
    if (!parsed.ok) {
      const { eventId, videoId, eventType } = (raw ?? {}) as Record<string, unknown>;
      const oversized = oversizedName([eventId, videoId, eventType], this.rules.limits.maxEventBytes);
      if (oversized === undefined) this.reject(index, parsed.eventId, parsed.reason, parsed.detail, names);
      else this.reject(index, parsed.eventId, "too-large", oversized, names);
      return;
    }
    const { event } = parsed;
    let extraText: string | undefined;
    if (event.extra !== undefined) {
      extraText = extraJson(event.extra);
      const problem = extraProblem(extraText, this.rules.limits.maxEventBytes);
      if (problem !== undefined) {
        this.reject(index, event.eventId, "too-large", problem, names);
        return;
      }
    }
    if (parsed.stampNeeded && !this.stamp(event, index, names)) return;
    this.builder.add(event, extraText);
  }

  /** Gives the event a time. Returns false where the event gets none. */
  private stamp(event: VideoEvent, index: number, names: FieldNames): boolean {
    const { untimed, receivedAtMs } = this.rules;
    switch (untimed.kind) {
      case "receipt":
        return true;
      case "refuse":
        this.reject(index, event.eventId, "missing-field", `${names.eventTime} is missing: ${untimed.detail}`, names);
        return false;
      case "stamp": {
        const stamp = untimed.stampOf(`${event.eventId}\0${event.videoId}\0${event.eventType}`, receivedAtMs);
        if (stamp === undefined) {
          this.stampsFull = true;
          return false;
        }
        this.stamps.push(stamp);
        this.stampedRows.push(this.builder.size);
        event.eventTimeMs = stamp.stampedAtMs;
        return true;
      }
      default:
        return untimed satisfies never;
    }
  }

  reject(
    index: number,
    eventId: string | null,
    reason: RejectionReason,
    detail: string,
    names: FieldNames = EVENT_FIELD_NAMES,
  ): void {
    // The text passes through UTF-8 once, so that a lone surrogate is answered and stored as the same replacement
    // character.
    const shownId = eventId === null ? null : Buffer.from(eventId).toString();
    this.rejections.push({ index, eventId: shownId, reason, detail, isCloudEvent: names !== EVENT_FIELD_NAMES });
  }

  /**
   * Returns the result. `payloads` gives the bytes of every event, and is called once, where an event was refused.
   * `contentType` is the type of payloads that are no CloudEvents.
   */
  taken(payloads: () => readonly Uint8Array[], contentType: string): Taken {
    if (this.stampsFull) return { kind: "stamps-full" };
    const bytes = this.rejections.length === 0 ? [] : payloads();
    const rejected = this.rejections.map(({ isCloudEvent: isCloud, ...rejection }): RejectedEvent => {
      const payload = bytes[rejection.index]!;
      return { ...rejection, payload, contentType: isCloud ? "application/cloudevents+json" : contentType };
    });
    const { receivedAtMs } = this.rules;
    const columns = this.builder.build();
    const { stamps, stampedRows } = this;
    return { kind: "events", receivedAtMs, ...NO_HEADER, columns, rejected, stamps, stampedRows };
  }
}

const NO_HEADER = { producerId: "", batchId: "", alreadyAccepted: false };

const VALUE_PATH = ["value"];
const TIME_PATH = ["eventTime"];

/**
 * Returns the texts of members that must be integers, where their doubles may differ from the text; undefined where no
 * member is in doubt.
 */
function textsOf(raw: unknown, index: number, source: NumberSource): NumberTexts | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const { value, eventTime } = raw as Record<string, unknown>;
  const valueText = typeof value === "number" ? source.doubtfulText(value, index, VALUE_PATH) : undefined;
  const timeText = typeof eventTime === "number" ? source.doubtfulText(eventTime, index, TIME_PATH) : undefined;
  if (valueText === undefined && timeText === undefined) return undefined;
  return {
    ...(valueText === undefined ? {} : { value: valueText }),
    ...(timeText === undefined ? {} : { eventTime: timeText }),
  };
}
