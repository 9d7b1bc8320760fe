// SPDX-License-Identifier: Apache-2.0
import type { VideoEvent } from "../event";
import {
  type AcceptanceRules,
  isEventId,
  isEventType,
  isVideoId,
  MAX_TIME_MS,
  minuteOf,
  TOO_MANY_TYPES,
  timeRejection,
} from "../event";
import { ID_BYTES, isHashedIdBytes, isUuidBytes, uuidText, writeEventId } from "../event-identity";
import { intern } from "../intern";
import type { Rejection, RejectionReason } from "../rejection";
import { type NameSpans, viewOf } from "./name-table";

/**
 * A batch of events by column, as a batch message holds it, without an object for each event. Every column has `count`
 * rows. The intake makes columns from every form of a body, the log's batches and the archive's objects are written
 * from columns, and the stream counts them.
 */
export interface EventColumns {
  count: number;
  /** Sixteen bytes per row (event-identity.ts). */
  ids: Uint8Array;
  /**
   * The names as strings. A decoder makes the strings on demand, so only code that needs strings should read this
   * field.
   */
  readonly videos: readonly string[];
  /** The same names as bytes, where the decoder has them. */
  videoSpans?: NameSpans;
  videoIndex: Uint32Array;
  types: string[];
  typeIndex: Uint32Array;
  /** Epoch milliseconds. */
  timesMs: Float64Array;
  /** NaN where the event has no value; the column is absent where no event has a value. */
  values?: Float64Array;
  /** The eventId of every row whose id is hashed. */
  hashedIds?: ReadonlyMap<number, string>;
  /** The fields that the contract does not know, as the text of a JSON object, by row. */
  extras?: ReadonlyMap<number, string>;
}

/** Returns the eventId of a row as its producer wrote it. */
export function eventIdOf(columns: EventColumns, row: number): string {
  return columns.hashedIds?.get(row) ?? uuidText(columns.ids, row * ID_BYTES);
}

/** Returns the row as an event object. Only edges may call it (rejections, archive tests), never the hot path. */
export function eventAt(columns: EventColumns, row: number): VideoEvent {
  const event: VideoEvent = {
    eventId: eventIdOf(columns, row),
    videoId: columns.videos[columns.videoIndex[row]!]!,
    eventType: columns.types[columns.typeIndex[row]!]!,
    eventTimeMs: columns.timesMs[row]!,
  };
  const value = columns.values?.[row];
  if (value !== undefined && !Number.isNaN(value)) event.value = value;
  const extra = columns.extras?.get(row);
  if (extra !== undefined) event.extra = JSON.parse(extra) as Record<string, unknown>;
  return event;
}

/**
 * Returns the row as the JSON event that a producer would send. A value or time that no event can have becomes text, so
 * that the intake refuses it again. The extras come first, as the text they are, so that they cannot replace a field of
 * the contract.
 */
export function eventJsonAt(columns: EventColumns, row: number): string {
  const value = columns.values?.[row];
  const known = JSON.stringify({
    eventId: eventIdOf(columns, row),
    videoId: columns.videos[columns.videoIndex[row]!],
    eventType: columns.types[columns.typeIndex[row]!],
    eventTime: numberOrText(columns.timesMs[row]!),
    value: value === undefined || Number.isNaN(value) ? undefined : numberOrText(value),
  });
  const extra = columns.extras?.get(row)?.trim().slice(1, -1).trim() ?? "";
  return extra === "" ? known : `{${extra},${known.slice(1)}`;
}

const numberOrText = (value: number): number | string => (Number.isSafeInteger(value) ? value : String(value));

/** Typed arrays of at most 64 bytes lie on V8's heap, which costs a request of one event far less. */
const FIRST_ROWS = 64 / ID_BYTES;

/** Collects events into columns: at most 2^32 rows, videos and types. */
export class EventColumnsBuilder {
  private count = 0;
  private ids = new Uint8Array(FIRST_ROWS * ID_BYTES);
  private readonly videoIds = new Map<string, number>();
  private readonly typeIds = new Map<string, number>();
  private readonly videoIndex: number[] = [];
  private readonly typeIndex: number[] = [];
  private readonly timesMs: number[] = [];
  private readonly values: number[] = [];
  private hasValues = false;
  private hashedIds: Map<number, string> | undefined;
  private extras: Map<number, string> | undefined;

  get size(): number {
    return this.count;
  }

  /** Adds an event. `extraText` is the JSON text of `event.extra`, where the caller has written it already. */
  add(event: VideoEvent, extraText?: string): void {
    const row = this.begin(event.videoId, event.eventType, event.eventTimeMs, event.value ?? Number.NaN);
    if (!writeEventId(event.eventId, this.ids, row * ID_BYTES)) this.hash(row, event.eventId);
    if (event.extra !== undefined) this.addExtra(row, extraText ?? JSON.stringify(event.extra));
  }

  /** Adds a row of other columns, without taking it apart. */
  addRow(from: EventColumns, row: number): void {
    const videoId = from.videos[from.videoIndex[row]!]!;
    const eventType = from.types[from.typeIndex[row]!]!;
    const added = this.begin(videoId, eventType, from.timesMs[row]!, from.values?.[row] ?? Number.NaN);
    const [start, target] = [row * ID_BYTES, added * ID_BYTES];
    for (let at = 0; at < ID_BYTES; at++) this.ids[target + at] = from.ids[start + at]!;
    const eventId = from.hashedIds?.get(row);
    if (eventId !== undefined) this.hash(added, eventId);
    const extra = from.extras?.get(row);
    if (extra !== undefined) this.addExtra(added, extra);
  }

  /** The next row, without its id. */
  private begin(videoId: string, eventType: string, timeMs: number, value: number): number {
    const row = this.count++;
    if (this.ids.length < this.count * ID_BYTES) {
      const grown = new Uint8Array(this.ids.length * 2);
      grown.set(this.ids);
      this.ids = grown;
    }
    this.videoIndex.push(intern(this.videoIds, videoId));
    this.typeIndex.push(intern(this.typeIds, eventType));
    this.timesMs.push(timeMs);
    this.values.push(value);
    if (!Number.isNaN(value)) this.hasValues = true;
    return row;
  }

  private hash(row: number, eventId: string): void {
    this.hashedIds ??= new Map();
    this.hashedIds.set(row, eventId);
  }

  private addExtra(row: number, text: string): void {
    this.extras ??= new Map();
    this.extras.set(row, text);
  }

  build(): EventColumns {
    const columns: EventColumns = {
      count: this.count,
      ids: this.ids.slice(0, this.count * ID_BYTES),
      videos: [...this.videoIds.keys()],
      videoIndex: new Uint32Array(this.videoIndex),
      types: [...this.typeIds.keys()],
      typeIndex: new Uint32Array(this.typeIndex),
      timesMs: new Float64Array(this.timesMs),
    };
    if (this.hasValues) columns.values = new Float64Array(this.values);
    if (this.hashedIds !== undefined) columns.hashedIds = this.hashedIds;
    if (this.extras !== undefined) columns.extras = this.extras;
    return columns;
  }
}

/**
 * Checks every row of a decoded batch against the contract, and the times against `rules`. The result is empty for a
 * batch without a bad row; that usual case takes one pass and allocates nothing for an event.
 */
export function validateColumns(columns: EventColumns, rules: AcceptanceRules): Rejection[] {
  const badVideo =
    columns.videoSpans === undefined ? columns.videos.map((video) => !isVideoId(video)) : badSpans(columns.videoSpans);
  const badType = columns.types.map((type) => typeProblem(type, rules));
  const hasBadName = badVideo.includes(true) || badType.some((problem) => problem !== "");
  if (!hasBadName && areUsual(columns, rules, badVideo.length)) return [];
  return rejectedRows(columns, rules, badVideo, badType);
}

/**
 * Returns whether every row has a UUID, names, a value that may be and a time between the earliest and the receipt.
 * Other rows may be accepted, too; this pass only tells that none needs a second look.
 */
function areUsual(
  columns: EventColumns,
  { receivedAtMs, rawRetentionMs }: AcceptanceRules,
  videoCount: number,
): boolean {
  const { count, ids, videoIndex, types, typeIndex, timesMs, values, hashedIds } = columns;
  if (hashedIds !== undefined) return false;
  const typeCount = types.length;
  const earliestMs = Math.max(0, receivedAtMs - rawRetentionMs);
  const latestMs = Math.min(MAX_TIME_MS, receivedAtMs);
  for (let row = 0; row < count; row++) {
    const timeMs = timesMs[row]!;
    const isUsual =
      isUuidBytes(ids, row * ID_BYTES) &&
      videoIndex[row]! < videoCount &&
      typeIndex[row]! < typeCount &&
      timeMs >= earliestMs &&
      timeMs <= latestMs &&
      (values === undefined || isValue(values[row]!));
    if (!isUsual) return false;
  }
  return true;
}

function rejectedRows(
  columns: EventColumns,
  rules: AcceptanceRules,
  badVideo: readonly boolean[],
  badType: readonly string[],
): Rejection[] {
  const rejections: Rejection[] = [];
  const earliestMs = rules.receivedAtMs - rules.rawRetentionMs;
  const { count, ids, videoIndex, typeIndex, timesMs, values, hashedIds } = columns;
  for (let row = 0; row < count; row++) {
    const at = row * ID_BYTES;
    const timeMs = timesMs[row]!;
    let reason: RejectionReason | undefined;
    let detail = "";
    if (isUuidBytes(ids, at) ? hashedIds?.has(row) : !isOwnHash(ids, at, hashedIds?.get(row))) {
      reason = "bad-event-id";
      detail = "the id is neither a UUID alone nor the hash of the id carried beside it";
    } else if (badVideo[videoIndex[row]!] !== false) {
      reason = "bad-video-id";
      detail = "videoId must be a string of 1 to 128 of A-Z a-z 0-9 _ - . : /";
    } else if (badType[typeIndex[row]!] !== "") {
      reason = "bad-event-type";
      detail = badType[typeIndex[row]!] ?? "eventType is missing";
    } else if (values !== undefined && !isValue(values[row]!)) {
      reason = "bad-value";
      detail = "value must be an integer with |value| <= 2^53-1";
    } else if (!(timeMs >= 0 && timeMs <= MAX_TIME_MS)) {
      reason = "bad-event-time";
      detail = "eventTime must be epoch milliseconds";
    } else if (timeMs > rules.receivedAtMs || timeMs < earliestMs) {
      const outside = timeRejection(timeMs, rules);
      reason = outside?.reason;
      detail = outside?.detail ?? "";
    }
    if (reason !== undefined) rejections.push({ index: row, eventId: shownId(columns, row), reason, detail });
  }
  return rejections;
}

/** Returns why the type is refused, or "" where it is accepted. */
function typeProblem(type: string, rules: AcceptanceRules): string {
  if (!isEventType(type)) return "eventType must match [A-Z][A-Z0-9_]{0,31}";
  const isBeyondBound = rules.alreadyAccepted !== true && rules.admitsType?.(type) === false;
  return isBeyondBound ? `eventType ${type} ${TOO_MANY_TYPES}` : "";
}

const VIDEO_ID_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => (isVideoId(String.fromCharCode(byte)) ? 1 : 0));
/** Whether both bytes of a word of 16 bits may be in a video id: two bytes are looked up at once. */
const VIDEO_ID_BYTES = Uint8Array.from(
  { length: 2 ** 16 },
  (_, two) => VIDEO_ID_BYTE[two & 255]! & VIDEO_ID_BYTE[two >>> 8]!,
);

function badSpans({ bytes, starts, ends }: NameSpans): boolean[] {
  const view = viewOf(bytes);
  const bad = new Array<boolean>(starts.length);
  for (let i = 0; i < starts.length; i++) {
    const end = ends[i]!;
    const length = end - starts[i]!;
    let good = length >= 1 && length <= 128 ? 1 : 0;
    let at = starts[i]!;
    if ((length & 1) !== 0) good &= VIDEO_ID_BYTE[bytes[at++]!]!;
    for (; good !== 0 && at < end; at += 2) good = VIDEO_ID_BYTES[view.getUint16(at)]!;
    bad[i] = good === 0;
  }
  return bad;
}

const isValue = (value: number): boolean => Number.isNaN(value) || Number.isSafeInteger(value);

const hashed = new Uint8Array(ID_BYTES);

function isOwnHash(ids: Uint8Array, at: number, eventId: string | undefined): boolean {
  if (eventId === undefined || !isHashedIdBytes(ids, at) || !isEventId(eventId)) return false;
  if (writeEventId(eventId, hashed, 0)) return false;
  for (let i = 0; i < ID_BYTES; i++) if (hashed[i] !== ids[at + i]) return false;
  return true;
}

function shownId(columns: EventColumns, row: number): string | null {
  return columns.hashedIds?.get(row)?.slice(0, 128) ?? uuidText(columns.ids, row * ID_BYTES);
}

/** Returns the rows named by `keep` as a batch of their own. */
export function selectRows(columns: EventColumns, keep: readonly number[]): EventColumns {
  const builder = new EventColumnsBuilder();
  // The extras stay the text they are: JSON.stringify overflows the stack on deep nesting, which JSON.parse takes.
  for (const row of keep) builder.add(eventAt(columns, row), columns.extras?.get(row));
  return builder.build();
}

/** Rows [from, to) of one minute of event time. */
export interface MinuteRun {
  minute: number;
  from: number;
  to: number;
}

/**
 * Yields the rows in their order, as runs of neighbouring rows of one minute of event time. Whatever puts rows into the
 * archive's objects, or counts rows by minute, goes by these runs: events of a batch are nearly in the order of their
 * times, so that a minute is looked up once for many rows. Several runs may have the same minute.
 */
export function* minuteRuns(columns: EventColumns): Generator<MinuteRun> {
  let from = 0;
  let minute = Number.NaN;
  for (let row = 0; row < columns.count; row++) {
    const next = minuteOf(columns.timesMs[row]!);
    if (next === minute) continue;
    if (row > from) yield { minute, from, to: row };
    [minute, from] = [next, row];
  }
  if (columns.count > from) yield { minute, from, to: columns.count };
}

/** Counts the events of each minute of event time. */
export function countByMinute(columns: EventColumns): Map<number, number> {
  const byMinute = new Map<number, number>();
  for (const { minute, from, to } of minuteRuns(columns)) byMinute.set(minute, (byMinute.get(minute) ?? 0) + to - from);
  return byMinute;
}
