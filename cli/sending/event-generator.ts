// SPDX-License-Identifier: Apache-2.0
/** Generated events of Zipf's popularity. `viewmill generate` and the demonstrations send them. */
import { uuidV7From } from "../../client/uuid-v7";

interface GeneratorOptions {
  seed: number;
  videos: number;
  /** The exponent of the Zipf distribution over the videos; 0 is uniform. */
  skew: number;
  /** Shares in [0, 1]. */
  duplicates: number;
  late: number;
  bad: number;
  /** How far before its receipt a late event lies. */
  lateByMs: number;
  /** The event time of the first event; the others follow at `perSecond`. */
  startMs: number;
  perSecond: number;
}

interface GeneratedCounts {
  generated: number;
  /** Exact repeats of an earlier event. */
  duplicates: number;
  late: number;
  bad: number;
}

/** Repeats are chosen among this many of the newest good events. */
const REPEAT_MEMORY = 4096;
const TYPES = ["VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "VIEW", "LIKE", "LIKE", "SHARE"];

/** Yields events as NDJSON lines; the same options give the same bytes. */
export class EventGenerator {
  readonly counts: GeneratedCounts = { generated: 0, duplicates: 0, late: 0, bad: 0 };
  private readonly random: () => number;
  private readonly cumulated: Float64Array;
  private readonly recent: string[] = [];
  private readonly idBytes = new Uint8Array(10);

  constructor(private readonly options: GeneratorOptions) {
    this.random = xoshiro128(options.seed);
    this.cumulated = zipf(options.videos, options.skew);
  }

  /** Returns the next `count` lines. */
  next(count: number): Buffer {
    let text = "";
    for (let i = 0; i < count; i++) text += `${this.line()}\n`;
    return Buffer.from(text);
  }

  private line(): string {
    const { duplicates, late, bad, lateByMs, startMs, perSecond } = this.options;
    let timeMs = Math.floor(startMs + (this.counts.generated++ * 1000) / perSecond);
    const kind = this.random();
    if (kind < duplicates && this.recent.length > 0) {
      this.counts.duplicates++;
      return this.recent[Math.floor(this.random() * this.recent.length)]!;
    }
    if (kind >= duplicates && kind < duplicates + late) {
      this.counts.late++;
      timeMs -= lateByMs;
    }
    const line = this.good(timeMs);
    if (kind >= duplicates + late && kind < duplicates + late + bad) {
      this.counts.bad++;
      return this.spoil(line);
    }
    if (this.recent.length < REPEAT_MEMORY) this.recent.push(line);
    else this.recent[this.counts.generated % REPEAT_MEMORY] = line;
    return line;
  }

  private good(timeMs: number): string {
    for (let i = 0; i < 10; i++) this.idBytes[i] = Math.floor(this.random() * 256);
    const eventId = uuidV7From(Math.max(0, timeMs), this.idBytes);
    const type = TYPES[Math.floor(this.random() * TYPES.length)]!;
    const value = type === "VIEW" ? `,"value":${Math.floor(this.random() * 600_000)}` : "";
    return `{"eventId":"${eventId}","videoId":"video-${this.video()}","eventType":"${type}","eventTime":${timeMs}${value}}`;
  }

  private video(): number {
    const wanted = this.random();
    let low = 0;
    let high = this.cumulated.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.cumulated[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low + 1;
  }

  /** Returns a line that the contract refuses, for each reason that a producer can cause in turn. */
  private spoil(line: string): string {
    const spoilers: ((line: string) => string)[] = [
      (text) => text.slice(0, -1),
      (text) => text.replace(/"videoId":"[^"]*",/, ""),
      (text) => text.replace('"eventId":"', '"eventId":"\\u00e9'),
      (text) => text.replace('"videoId":"', '"videoId":"not a video '),
      (text) => text.replace(/"eventType":"./, '"eventType":"v'),
      (text) => text.replace(/"eventTime":\d+/, '"eventTime":"yesterday"'),
      (text) => text.replace(/(,"value":\d+)?}$/, ',"value":0.5}'),
      (text) => text.replace(/"eventTime":\d+/, '"eventTime":4102444800000'),
      (text) => text.replace(/"eventTime":\d+/, '"eventTime":0'),
    ];
    return spoilers[this.counts.bad % spoilers.length]!(line);
  }
}

/** Returns the probabilities that a rank is below: rank r has weight 1 / r^skew. */
export function zipf(videos: number, skew: number): Float64Array {
  const cumulated = new Float64Array(videos);
  let sum = 0;
  for (let rank = 1; rank <= videos; rank++) {
    sum += 1 / rank ** skew;
    cumulated[rank - 1] = sum;
  }
  for (let i = 0; i < videos; i++) cumulated[i] = cumulated[i]! / sum;
  return cumulated;
}

/** xoshiro128** (Blackman and Vigna, prng.di.unimi.it), seeded by splitmix32: [0, 1) in steps of 2^-32. */
export function xoshiro128(seed: number): () => number {
  let mixed = seed >>> 0;
  const state = new Uint32Array(4).map(() => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let z = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  });
  return () => {
    const product = Math.imul(state[1]!, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = state[1]! << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = (state[3]! << 11) | (state[3]! >>> 21);
    return result / 2 ** 32;
  };
}
