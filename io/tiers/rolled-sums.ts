// SPDX-License-Identifier: Apache-2.0
/** Sums of roll-ups, by which the audit compares levels whose cells have left the store. */
import { NO_SUMS, type Sums, sumOf } from "../../domain/rules/cell-sums";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { RolledLevel, RollUp } from "../ports";
import { cellsOf, overlaps, type RollUpReader } from "./roll-up-reader";

/** The sums of roll-ups for one day, by video, type and hour. */
export type DaySums = ReadonlyMap<string, ReadonlyMap<number, Sums>>;

export const seriesKey = (videoId: string, eventType: string): string => `${videoId} ${eventType}`;

/** Adds up whole files for audits, a day at a time; the last day of each level is kept. */
export class RolledSums {
  readonly #kept = new Map<RolledLevel, { key: string; sums: DaySums }>();

  #minutes: { key: string; counted: ReadonlyMap<number, number> } | undefined;

  constructor(private readonly reader: RollUpReader) {}

  /** Events of every minute of a day that roll-ups have any of. */
  async minutesOf(rollUps: readonly RollUp[], day: number): Promise<ReadonlyMap<number, number>> {
    const { asked, files, key } = filesOf(rollUps, "minute", day);
    if (this.#minutes?.key === key) return this.#minutes.counted;
    const counted = new Map<number, number>();
    for (const file of files) {
      for (const { startMs, count } of cellsOf(await this.reader.all(file))) {
        if (startMs < asked.fromMs || startMs >= asked.toMs) continue;
        counted.set(startMs / MINUTE_MS, (counted.get(startMs / MINUTE_MS) ?? 0) + count);
      }
    }
    this.#minutes = { key, counted };
    return counted;
  }

  async ofDay(rollUps: readonly RollUp[], level: RolledLevel, day: number): Promise<DaySums> {
    const { asked, files, key } = filesOf(rollUps, level, day);
    const kept = this.#kept.get(level);
    if (kept?.key === key) return kept.sums;
    const sums = new Map<string, Map<number, Sums>>();
    for (const file of files) {
      for (const cell of cellsOf(await this.reader.all(file))) {
        if (cell.startMs < asked.fromMs || cell.startMs >= asked.toMs) continue;
        const name = seriesKey(cell.videoId, cell.eventType);
        const hours = sums.get(name) ?? new Map<number, Sums>();
        const hour = Math.floor(cell.startMs / HOUR_MS);
        sums.set(name, hours.set(hour, sumOf(hours.get(hour) ?? NO_SUMS, cell)));
      }
    }
    this.#kept.set(level, { key, sums });
    return sums;
  }
}

function filesOf(rollUps: readonly RollUp[], level: RolledLevel, day: number) {
  const asked = { level, fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS };
  const files = rollUps.filter((one) => overlaps(one, asked));
  return { asked, files, key: `${day} ${files.map(({ name, sha256 }) => `${name}:${sha256}`).join(" ")}` };
}
