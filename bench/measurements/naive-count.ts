// SPDX-License-Identifier: Apache-2.0
/**
 * The baseline: a straightforward counter with strings in Maps. It is exact by the same contract: of repeated events
 * the largest value counts. Measurements of counting compare with it.
 */

import { Type } from "avsc";
import { MINUTE_MS } from "../../domain/rules/time";
import { shippedSchema } from "../../io/formats/avro/schema-registry";
import { type CountedCell, type CountsDigest, digestOf } from "../data/counts-digest";
import { readFrames, readLines } from "../data/data-files";
import { defineTask, timed } from "../task";

interface NaiveResult {
  digest: CountsDigest;
  wallS: number;
  cpuS: number;
}

class NaiveCounter {
  private readonly minutes = new Map<number, { seen: Map<string, number>; counts: Map<string, Counted> }>();

  add(eventId: string, videoId: string, eventType: string, timeMs: number, value: number | undefined): void {
    const minute = Math.floor(timeMs / MINUTE_MS);
    let known = this.minutes.get(minute);
    if (known === undefined) {
      known = { seen: new Map(), counts: new Map() };
      this.minutes.set(minute, known);
    }
    const key = `${eventId} ${videoId} ${eventType}`;
    const name = `${videoId} ${eventType}`;
    const before = known.seen.get(key);
    const amount = value ?? 0;
    if (before !== undefined) {
      if (amount <= before) return;
      known.seen.set(key, amount);
      known.counts.get(name)!.sum += BigInt(amount - before);
      return;
    }
    known.seen.set(key, amount);
    const counted = known.counts.get(name);
    if (counted === undefined) known.counts.set(name, { count: 1, sum: BigInt(amount) });
    else {
      counted.count++;
      if (amount !== 0) counted.sum += BigInt(amount);
    }
  }

  /** Forgets the ids. The caller guarantees that no id seen so far comes again. */
  forgetIds(): void {
    for (const { seen } of this.minutes.values()) seen.clear();
  }

  *cells(): Generator<CountedCell> {
    for (const [minute, { counts }] of this.minutes) {
      for (const [name, { count, sum }] of counts) {
        const [videoId = "", eventType = ""] = name.split(" ");
        yield { videoId, eventType, minute, count, sum };
      }
    }
  }
}

interface Counted {
  count: number;
  sum: bigint;
}

interface BatchRecord {
  count: number;
  ids: Buffer;
  videos: string[];
  videoIndex: number[];
  types: string[];
  typeIndex: number[];
  baseTimeMs: number;
  timeDeltasMs: number[];
  valueRows: number[];
  values: number[];
}

const SINGLE_OBJECT_PREFIX_BYTES = 10;

/**
 * Counts the same columnar batches, decoded by avsc. With `passes` > 1 each pass counts one share of the ids, for data
 * whose ids do not fit into memory together.
 */
export const countFromBatches = defineTask(
  __filename,
  "naive-batches",
  async ({ frames, passes = 1 }: { frames: string; passes?: number }) => {
    const counter = new NaiveCounter();
    const { wallS, cpuS } = await timed(() => {
      for (let pass = 0; pass < passes; pass++) {
        addBatches(counter, frames, ({ ids }, row) => ids[row * 16 + 15]! % passes === pass);
        counter.forgetIds();
      }
    });
    return { digest: digestOf(counter.cells()), wallS, cpuS } satisfies NaiveResult;
  },
);

function addBatches(counter: NaiveCounter, frames: string, wanted: (batch: BatchRecord, row: number) => boolean): void {
  const type = Type.forSchema(shippedSchema("batch-v1") as never);
  for (const frame of readFrames(frames)) {
    const batch = type.fromBuffer(frame.subarray(SINGLE_OBJECT_PREFIX_BYTES)) as BatchRecord;
    const values = new Map(batch.valueRows.map((row, i) => [row, batch.values[i]!]));
    for (let row = 0; row < batch.count; row++) {
      if (!wanted(batch, row)) continue;
      counter.add(
        batch.ids.toString("hex", row * 16, row * 16 + 16),
        batch.videos[batch.videoIndex[row]!]!,
        batch.types[batch.typeIndex[row]!]!,
        batch.baseTimeMs + batch.timeDeltasMs[row]!,
        values.get(row),
      );
    }
  }
}

interface JsonEvent {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
  value?: number;
}

export const countFromJson = defineTask(__filename, "naive-ndjson", async ({ ndjson }: { ndjson: string }) => {
  const counter = new NaiveCounter();
  const { wallS, cpuS } = await timed(() => {
    for (const line of readLines(ndjson)) {
      const { eventId, videoId, eventType, eventTime, value } = JSON.parse(line) as JsonEvent;
      counter.add(eventId, videoId, eventType, eventTime, value);
    }
  });
  return { digest: digestOf(counter.cells()), wallS, cpuS } satisfies NaiveResult;
});
