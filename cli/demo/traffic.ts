// SPDX-License-Identifier: Apache-2.0
import { uuidV7From } from "../../client/uuid-v7";
import { HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { xoshiro128, zipf } from "../sending/event-generator";
import { DEMO_VIDEOS } from "./channels";

/**
 * The share of the invented site's traffic before it grew in its last hours, so that a small history is counted in
 * seconds.
 */
const SMALL = 0.1;
const GROWING_MINUTES = 150;
const GROWN_MINUTES = 20;
/**
 * The viral video starts this many minutes before now, and its share of the views doubles every few minutes up to its
 * maximum.
 */
const VIRAL_SINCE_MINUTES = 35;
const VIRAL_DOUBLES_MINUTES = 6;
const VIRAL_FIRST_SHARE = 0.01;
const VIRAL_MOST_SHARE = 0.45;
/** The viral video is one of medium rank. */
const VIRAL = DEMO_VIDEOS.findIndex(({ channelId }) => channelId === "patch-notes") + 16;

const SKEW = 1.05;
const DUPLICATES = 0.03;
const BAD = 0.003;
const LATE = 0.004;
const REPEAT_MEMORY = 2_000;

/**
 * The traffic of each hour of the day against the busiest: quiet at four in the morning, a hill at noon, the peak in
 * the evening.
 */
const HOURS = [
  0.42, 0.28, 0.18, 0.13, 0.11, 0.13, 0.2, 0.32, 0.45, 0.52, 0.56, 0.62, 0.72, 0.7, 0.62, 0.6, 0.64, 0.72, 0.84, 0.95,
  1, 0.98, 0.82, 0.6,
];

interface DemoTrafficOptions {
  seed: number;
  nowMs: number;
  /** The events a minute at the busiest hour. */
  perMinute: number;
  /** The difference of the daily curve's local time from UTC. */
  offsetMs: number;
}

/** Invented events as NDJSON lines; the same options give the same history. `viewmill demo` sends them. */
export class DemoTraffic {
  private readonly random: () => number;
  private readonly cumulated: Float64Array;
  private readonly idBytes = new Uint8Array(10);
  private readonly recent: string[] = [];
  private made = 0;

  constructor(private readonly options: DemoTrafficOptions) {
    this.random = xoshiro128(options.seed);
    this.cumulated = zipf(DEMO_VIDEOS.length, SKEW);
  }

  get viral(): (typeof DEMO_VIDEOS)[number] {
    return DEMO_VIDEOS[VIRAL]!;
  }

  /**
   * Yields all events of these minutes before now, one block a minute, newest first, so that the minutes that users
   * look at first are there first.
   */
  *history(minutes: number): Generator<string[]> {
    const lastMinute = Math.floor(this.options.nowMs / MINUTE_MS);
    for (let back = 0; back <= minutes; back++) {
      const startMs = (lastMinute - back) * MINUTE_MS;
      const lengthMs = back === 0 ? this.options.nowMs - startMs : MINUTE_MS;
      const events = this.expected(startMs) * grown(back) * (lengthMs / MINUTE_MS);
      yield Array.from({ length: this.rounded(events) }, () => this.line(startMs + this.random() * lengthMs));
    }
  }

  /** Returns the events of this time up to `nowMs`. Some are sent late or twice, and some lines are no events. */
  live(nowMs: number, lengthMs: number): string[] {
    const events = this.rounded((this.expected(nowMs) * lengthMs) / MINUTE_MS);
    return Array.from({ length: events }, () => {
      const isLate = this.random() < LATE;
      return this.line(isLate ? nowMs - (2 + this.random() * 28) * HOUR_MS : nowMs - this.random() * lengthMs);
    });
  }

  /** Returns the events a minute at this time of the day, with some noise. */
  private expected(timeMs: number): number {
    const hour = ((timeMs + this.options.offsetMs) / HOUR_MS) % 24;
    const [before, after] = [HOURS[Math.floor(hour)]!, HOURS[Math.ceil(hour) % 24]!];
    const curve = before + (after - before) * (hour - Math.floor(hour));
    return this.options.perMinute * curve * (0.9 + this.random() * 0.2) * (1 + this.viralShare(timeMs));
  }

  private rounded(expected: number): number {
    return Math.floor(expected + this.random());
  }

  private viralShare(timeMs: number): number {
    const minutes = (timeMs - this.options.nowMs) / MINUTE_MS + VIRAL_SINCE_MINUTES;
    if (minutes < 0) return 0;
    return Math.min(VIRAL_MOST_SHARE, VIRAL_FIRST_SHARE * 2 ** (minutes / VIRAL_DOUBLES_MINUTES));
  }

  private line(timeMs: number): string {
    const dice = this.random();
    if (dice < DUPLICATES && this.recent.length > 0)
      return this.recent[Math.floor(this.random() * this.recent.length)]!;
    const line = this.event(Math.floor(timeMs));
    if (dice < DUPLICATES + BAD) return this.spoiled(line);
    this.recent[this.made++ % REPEAT_MEMORY] = line;
    return line;
  }

  private event(timeMs: number): string {
    for (let i = 0; i < this.idBytes.length; i++) this.idBytes[i] = Math.floor(this.random() * 256);
    const dice = this.random();
    const eventType = dice < 0.86 ? "VIEW" : dice < 0.95 ? "LIKE" : dice < 0.98 ? "SHARE" : "COMMENT";
    const watched = eventType === "VIEW" ? { value: Math.floor(4_000 + 300_000 * this.random() ** 3) } : {};
    const { videoId } = DEMO_VIDEOS[this.video(timeMs)]!;
    const eventId = uuidV7From(timeMs, this.idBytes);
    return JSON.stringify({ eventId, videoId, eventType, eventTime: timeMs, ...watched });
  }

  private video(timeMs: number): number {
    if (this.random() < this.viralShare(timeMs)) return VIRAL;
    const wanted = this.random();
    return Math.max(
      0,
      this.cumulated.findIndex((share) => share > wanted),
    );
  }

  /** Returns a line with a producer's mistake. */
  private spoiled(line: string): string {
    const spoilers: ((text: string) => string)[] = [
      (text) => text.replace(/"videoId":"[^"]*"/, '"videoId":"not a video"'),
      (text) => text.replace(/"eventType":"[^"]*"/, '"eventType":"view"'),
      (text) => text.replace(/,"eventTime":\d+/, ',"eventTime":"yesterday"'),
      (text) => text.replace(/"eventId":"[^"]*",/, ""),
      (text) => text.slice(0, -1),
    ];
    return spoilers[Math.floor(this.random() * spoilers.length)]!(line);
  }
}

/** Returns the site's size this many minutes before now, against its size now. */
function grown(back: number): number {
  const progress = (GROWING_MINUTES - back) / (GROWING_MINUTES - GROWN_MINUTES);
  return SMALL ** (1 - Math.min(1, Math.max(0, progress)));
}
