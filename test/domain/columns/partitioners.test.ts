// SPDX-License-Identifier: Apache-2.0
/** Both partitioners against a list: which events they keep, in which partition, and which they set aside as late. */
import fc from "fast-check";
import { BlockPartitioner } from "../../../domain/columns/block-partitioner";
import { openBlock } from "../../../domain/columns/event-block";
import { Pane } from "../../../domain/columns/pane";
import { PaneNames } from "../../../domain/columns/pane-names";
import { RowPartitioner } from "../../../domain/columns/row-partitioner";
import { minuteOf, type VideoEvent } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { columnsOf, meetingEvent, T0 } from "../model";

const seed = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const M = minuteOf(T0);
const LATENESS_MS = 60_000;

const batch = fc.record({
  events: fc.array(meetingEvent, { maxLength: 30 }),
  /** By how much the receipt of a row is later than its event; of one number for all rows, later than T0. */
  delaysMs: fc.array(fc.constantFrom(0, LATENESS_MS, LATENESS_MS + 1, 200_000), { minLength: 30, maxLength: 30 }),
  isColumn: fc.boolean(),
  minutes: fc.option(fc.subarray([M, M + 1, M + 2]), { nil: undefined }),
});
const asked = fc.record({
  partitions: fc.integer({ min: 1, max: 3 }),
  latenessMs: fc.constantFrom(-1, LATENESS_MS, Number.POSITIVE_INFINITY),
  isNamed: fc.boolean(),
  fromMinute: fc.constantFrom(undefined, M, M + 1, M + 2),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

const receiptOf = ({ delaysMs, isColumn }: Batch, event: VideoEvent, row: number): number =>
  isColumn ? event.eventTimeMs + delaysMs[row]! : T0 + delaysMs[0]!;

function receipts(of: Batch): number | Float64Array {
  return of.isColumn ? Float64Array.from(of.events, (event, row) => receiptOf(of, event, row)) : T0 + of.delaysMs[0]!;
}

test("rows of wanted minutes are kept once, in one partition for each id, and late ones are counted and set aside", () => {
  fc.assert(
    fc.property(
      fc.array(batch, { maxLength: 4 }),
      asked,
      (batches, { partitions, latenessMs, fromMinute, isNamed }) => {
        const names = new PaneNames(seed);
        const [blocks, rows] = [
          new BlockPartitioner(partitions, latenessMs, seed, fromMinute),
          new RowPartitioner(partitions, latenessMs, fromMinute, isNamed ? names : undefined),
        ];
        const [kept, late] = [new Map<number, number>(), new Map<string, number>()];
        for (const each of batches) {
          const wanted = each.minutes === undefined ? undefined : new Set(each.minutes);
          for (const partitioner of [blocks, rows]) partitioner.add(columnsOf(each.events), receipts(each), wanted);
          for (const [row, event] of each.events.entries()) {
            const minute = minuteOf(event.eventTimeMs);
            if (minute < (fromMinute ?? 0) || wanted?.has(minute) === false) continue;
            const receivedAtMs = receiptOf(each, event, row);
            const key = `${minute} ${Math.floor(receivedAtMs / MINUTE_MS)}`;
            if (latenessMs >= 0 && receivedAtMs > event.eventTimeMs + latenessMs)
              late.set(key, (late.get(key) ?? 0) + 1);
            else kept.set(minute, (kept.get(minute) ?? 0) + 1);
          }
        }
        const counted = (counts: { minute: number; receiptMinute: number; count: number }[]) =>
          new Map(counts.map(({ minute, receiptMinute, count }) => [`${minute} ${receiptMinute}`, count]));
        expect([counted(blocks.takeLate()), counted(rows.takeLate())]).toEqual([late, late]);
        expect([blocks.takeLate(), rows.takeLate()]).toEqual([[], []]);
        const received = new Map<string, number>();
        const sums = { blocks: new Map<number, number>(), rows: new Map<number, number>() };
        for (const { minute, partition, count, bytes } of blocks.finish()) {
          expect(openBlock(bytes).count).toBe(count);
          sums.blocks.set(minute, (sums.blocks.get(minute) ?? 0) + count);
          received.set(`${minute} ${partition}`, (received.get(`${minute} ${partition}`) ?? 0) + count);
        }
        expect(blocks.takeSealed()).toEqual([]);
        for (const { minute, partition, count, batches: held } of rows.finish()) {
          const pane = new Pane(seed, names);
          for (const one of held) pane.addRows(one, minute);
          expect([pane.received, received.get(`${minute} ${partition}`)]).toEqual([count, count]);
          sums.rows.set(minute, (sums.rows.get(minute) ?? 0) + count);
        }
        expect(sums).toEqual({ blocks: kept, rows: kept });
      },
    ),
    { numRuns: 300 },
  );
});
