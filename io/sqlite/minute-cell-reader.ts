/**
 * Reads whole minutes as columns. Minutes of an hour are interleaved on disk (clustered by hour, video, type), so an
 * hour is scanned once for as many of its minutes as fit in memory, not once a minute.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/minute-counts";
import { onSnapshot } from "./connection";

/** Cells held at once: about 50 bytes each. A single minute with more is held whole. */
const MAX_CELLS_HELD = 500_000;

interface Filling {
  counts: MinuteCounts & { corrections: Float64Array };
  videoOf: Map<number, number>;
  typeOf: Map<number, number>;
  row: number;
}

export class MinuteCellReader {
  readonly #hours: StatementSync;
  readonly #sizes: StatementSync;
  readonly #cells: StatementSync;
  readonly #videoName: StatementSync;
  readonly #typeName: StatementSync;

  constructor(private readonly db: DatabaseSync) {
    this.#hours = db.prepare("SELECT MIN(hour) AS next FROM minute_cells WHERE hour >= ?");
    this.#sizes = db.prepare(
      `SELECT minute, COUNT(*) AS cells FROM minute_cells
         WHERE hour = ? AND minute >= ? AND minute < ? AND count > 0 GROUP BY minute ORDER BY minute`,
    );
    this.#cells = db.prepare(
      `SELECT video, type, minute, count, valued, CAST(sum_high AS REAL), sum_low, last_ms, correction FROM minute_cells
         WHERE hour = ? AND minute >= ? AND minute < ? AND count > 0`,
    );
    this.#cells.setReturnArrays(true);
    this.#videoName = db.prepare("SELECT name FROM videos WHERE id = ?");
    this.#typeName = db.prepare("SELECT name FROM types WHERE id = ?");
  }

  async *read(fromMinute: number, toMinute: number): AsyncGenerator<MinuteCounts, void, undefined> {
    let minute = fromMinute;
    while (minute < toMinute) {
      const batch = onSnapshot(this.db, () => this.#batch(minute, toMinute));
      yield* batch.minutes;
      minute = batch.next;
    }
  }

  /** The next minutes that fit, all of one hour; `next`: the first minute not looked at. */
  #batch(fromMinute: number, toMinute: number): { minutes: MinuteCounts[]; next: number } {
    const hour = this.#hours.get(Math.floor(fromMinute / 60))?.next;
    if (typeof hour !== "number" || hour * 60 >= toMinute) return { minutes: [], next: toMinute };
    const from = Math.max(fromMinute, hour * 60);
    const to = Math.min(toMinute, hour * 60 + 60);
    const taken = new Map<number, Filling>();
    let cells = 0;
    let next = to;
    for (const row of this.#sizes.iterate(hour, from, to)) {
      const size = Number(row.cells);
      if (cells > 0 && cells + size > MAX_CELLS_HELD) {
        next = Number(row.minute);
        break;
      }
      cells += size;
      taken.set(Number(row.minute), emptyMinute(Number(row.minute), size));
    }
    if (cells > 0) this.#fill(hour, from, next, taken);
    return { minutes: [...taken.values()].map((filling) => filling.counts), next };
  }

  #fill(hour: number, from: number, to: number, minutes: Map<number, Filling>): void {
    let video = -1;
    let videoName = "";
    const typeNames = new Map<number, string>();
    for (const row of this.#cells.iterate(hour, from, to) as unknown as Iterable<number[]>) {
      const [videoId, typeId, minute, count, valued, sumHigh, sumLow, lastMs, correction] = row as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      if (videoId !== video) {
        video = videoId;
        videoName = String(this.#videoName.get(videoId)?.name);
      }
      let typeName = typeNames.get(typeId);
      if (typeName === undefined) {
        typeName = String(this.#typeName.get(typeId)?.name);
        typeNames.set(typeId, typeName);
      }
      const filling = minutes.get(minute);
      if (filling === undefined) continue;
      const { counts, row: at } = filling;
      counts.videoIndex[at] = indexOf(filling.videoOf, counts.videos, videoId, videoName);
      counts.typeIndex[at] = indexOf(filling.typeOf, counts.types, typeId, typeName);
      counts.counts[at] = count;
      counts.valued[at] = valued;
      counts.sumHigh[at] = sumHigh;
      counts.sumLow[at] = sumLow;
      counts.lastMsInMinute[at] = lastMs;
      counts.corrections[at] = correction;
      filling.row++;
    }
  }
}

function indexOf(indexes: Map<number, number>, names: string[], id: number, name: string): number {
  let index = indexes.get(id);
  if (index === undefined) {
    index = names.push(name) - 1;
    indexes.set(id, index);
  }
  return index;
}

function emptyMinute(minute: number, cells: number): Filling {
  return {
    counts: {
      minute,
      videos: [],
      types: [],
      videoIndex: new Uint32Array(cells),
      typeIndex: new Uint32Array(cells),
      counts: new Float64Array(cells),
      valued: new Float64Array(cells),
      sumHigh: new Float64Array(cells),
      sumLow: new Float64Array(cells),
      lastMsInMinute: new Uint16Array(cells),
      corrections: new Float64Array(cells),
    },
    videoOf: new Map(),
    typeOf: new Map(),
    row: 0,
  };
}
