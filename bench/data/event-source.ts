// SPDX-License-Identifier: Apache-2.0
/** The generated events of all measurements. */
import type { EventColumns } from "../../domain/columns/event-columns";
import { ID_BYTES } from "../../domain/event-identity";
import { MINUTE_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";

export interface DataParameters {
  events: number;
  videos: number;
  /** Event times run from `startMs` over this many minutes, in order but for a second or two. */
  minutes: number;
  startMs: number;
  /** Share of the events that repeat one of the last 100,000; every tenth of them with a smaller value. */
  repeatShare: number;
  valueShare: number;
  /** The share of events timestamped LATE_MS before the others; default 0. */
  lateShare?: number;
  batchEvents: number;
  seed: number;
  /** zipf: exponent 1; hot: 90 % of the events on one video, the others uniform. */
  spread: "zipf" | "uniform" | "hot";
}

const EVENT_TYPES = ["VIEW", "LIKE", "SHARE"];
const TYPE_OF = Uint8Array.from({ length: 100 }, (_, percent) => (percent < 80 ? 0 : percent < 95 ? 1 : 2));
export const LATE_MS = 3 * MINUTE_MS;
const REMEMBERED = 100_000;
const DISORDER_MS = 1_500;
const MAX_VALUE = 600_000;

/** The same events for the same parameters: columnar batches, made without an object per event. */
export class EventSource {
  private readonly random: () => number;
  private readonly video: () => number;
  private readonly words = new Uint32Array(4);
  private readonly kept: EventColumns;
  private readonly localVideo: Int32Array;
  private made = 0;

  constructor(private readonly parameters: DataParameters) {
    this.random = sfc32(parameters.seed);
    this.video = videoPicker(parameters, this.random);
    this.kept = emptyColumns(Math.min(REMEMBERED, parameters.events));
    this.localVideo = new Int32Array(parameters.videos).fill(-1);
  }

  *batches(): Generator<EventColumns> {
    const { events, batchEvents } = this.parameters;
    while (this.made < events) yield this.batch(Math.min(batchEvents, events - this.made));
  }

  private batch(count: number): EventColumns {
    const columns = { ...emptyColumns(count), videos: [] as string[], types: EVENT_TYPES };
    const used: number[] = [];
    let hasValues = false;
    for (let row = 0; row < count; row++) {
      const memory = this.remember();
      columns.ids.set(this.kept.ids.subarray(memory * ID_BYTES, (memory + 1) * ID_BYTES), row * ID_BYTES);
      const video = this.kept.videoIndex[memory]!;
      let local = this.localVideo[video]!;
      if (local < 0) {
        local = used.push(video) - 1;
        this.localVideo[video] = local;
        columns.videos.push(`video-${video}`);
      }
      columns.videoIndex[row] = local;
      columns.typeIndex[row] = this.kept.typeIndex[memory]!;
      columns.timesMs[row] = this.kept.timesMs[memory]!;
      const value = this.kept.values![memory]!;
      columns.values![row] = value;
      if (!Number.isNaN(value)) hasValues = true;
    }
    for (const video of used) this.localVideo[video] = -1;
    this.made += count;
    if (hasValues) return columns;
    const { values: _none, ...withoutValues } = columns;
    return withoutValues;
  }

  private sequence = 0;

  /**
   * Returns the place of the next event in the ring of remembered ones: a repeat, or a new event in place of the
   * oldest.
   */
  private remember(): number {
    const { kept, random } = this;
    const known = Math.min(this.sequence, kept.count);
    if (known > 0 && random() < this.parameters.repeatShare) {
      const old = Math.floor(random() * known);
      if (random() < 0.1 && kept.values![old]! > 0) kept.values![old]!--;
      return old;
    }
    const place = this.sequence % kept.count;
    const { events, minutes, startMs, repeatShare, valueShare, lateShare = 0 } = this.parameters;
    const spanMs = minutes * MINUTE_MS;
    const onTimeMs = (this.sequence / Math.max(1, events * (1 - repeatShare))) * spanMs;
    kept.timesMs[place] = startMs + Math.floor(Math.min(spanMs - 1, Math.max(0, onTimeMs - random() * DISORDER_MS)));
    if (lateShare > 0 && random() < lateShare) kept.timesMs[place]! -= LATE_MS;
    this.writeId(place);
    kept.videoIndex[place] = this.video();
    kept.typeIndex[place] = TYPE_OF[Math.floor(random() * 100)]!;
    kept.values![place] = valueShare > 0 && random() < valueShare ? Math.floor(random() * MAX_VALUE) : Number.NaN;
    this.sequence++;
    return place;
  }

  /** A UUIDv7 of the event's time (RFC 9562), as the client library makes them. */
  private writeId(place: number): void {
    const { ids, timesMs } = this.kept;
    for (let i = 0; i < 4; i++) this.words[i] = this.random() * 2 ** 32;
    const at = place * ID_BYTES;
    ids.set(new Uint8Array(this.words.buffer), at);
    let timeMs = timesMs[place]!;
    for (let i = 5; i >= 0; i--) {
      ids[at + i] = timeMs % 256;
      timeMs = Math.floor(timeMs / 256);
    }
    ids[at + 6] = (ids[at + 6]! & 0x0f) | 0x70;
    ids[at + 8] = (ids[at + 8]! & 0x3f) | 0x80;
  }
}

function emptyColumns(count: number): EventColumns {
  return {
    count,
    ids: new Uint8Array(count * ID_BYTES),
    videos: [],
    videoIndex: new Uint32Array(count),
    types: EVENT_TYPES,
    typeIndex: new Uint32Array(count),
    timesMs: new Float64Array(count),
    values: new Float64Array(count).fill(Number.NaN),
  };
}

export function videoPicker({ spread, videos }: Pick<DataParameters, "spread" | "videos">, random: () => number) {
  const uniform = () => Math.floor(random() * videos);
  if (spread === "uniform") return uniform;
  if (spread === "hot") return () => (random() < 0.9 ? 0 : uniform());
  const cumulative = new Float64Array(videos);
  let total = 0;
  for (let rank = 0; rank < videos; rank++) {
    total += 1 / (rank + 1);
    cumulative[rank] = total;
  }
  return () => {
    const wanted = random() * total;
    let [low, high] = [0, videos - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
