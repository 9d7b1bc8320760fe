// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { VideoEvent } from "../../../../domain/event";
import { decodeBatch, encodeBatch } from "../../../../io/formats/avro/batch";
import { AvroWriter } from "../../../../io/formats/avro/binary";
import { EventRowWriter } from "../../../../io/formats/avro/event-rows";
import { anyEvent, columnsOf } from "../../../domain/model";

/** The row value by value, as event-v1.avsc lists its fields. */
function rowOf({ eventId, videoId, eventType, eventTimeMs, value, extra }: VideoEvent, receivedAtMs: number): Buffer {
  const row = new AvroWriter();
  for (const text of [eventId, videoId, eventType]) row.string(text);
  row.long(eventTimeMs);
  row.long(value === undefined ? 0 : 1);
  if (value !== undefined) row.long(value);
  row.long(receivedAtMs);
  row.long(extra === undefined ? 0 : 1);
  if (extra !== undefined) row.string(JSON.stringify(extra));
  return row.finish();
}

/** Where a time or a receipt takes one byte more. */
const EDGE_TIMES_MS = [0, 63, 2 ** 34 - 1, 2 ** 34, 2 ** 41 - 1, 2 ** 41, 8.64e15];

const event = fc
  .tuple(anyEvent, fc.option(fc.constantFrom(...EDGE_TIMES_MS), { nil: undefined }))
  .map(([each, timeMs]) => (timeMs === undefined ? each : { ...each, eventTimeMs: timeMs }));

test("the rows of decoded batches are the bytes of their values, whatever batch a row is of", () => {
  const batch = fc.record({
    events: fc.array(event, { minLength: 1, maxLength: 8 }),
    receivedAtMs: fc.constantFrom(...EDGE_TIMES_MS),
    isDecoded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 5 }), (batches) => {
      const writer = new EventRowWriter();
      const rows: Buffer[] = [];
      for (const { events, receivedAtMs, isDecoded } of batches) {
        const made = columnsOf(events);
        const header = { receivedAtMs, producerId: "p", batchId: "b" };
        const columns = isDecoded ? decodeBatch(encodeBatch(made, header)).columns : made;
        for (const [row, each] of events.entries()) {
          writer.add(columns, row, receivedAtMs);
          rows.push(rowOf(each, receivedAtMs));
        }
      }
      expect(Buffer.from(writer.take())).toEqual(Buffer.concat(rows));
    }),
  );
});

test("a writer is used again after its rows were taken", () => {
  const columns = columnsOf([{ eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: 1 }]);
  const writer = new EventRowWriter();
  writer.add(columns, 0, 1);
  const first = Buffer.from(writer.take());
  writer.add(columns, 0, 1);
  expect(Buffer.from(writer.take())).toEqual(first);
  expect(writer.take().length).toBe(0);
});

test("rows of any length before the end of the writer's buffer are whole: the buffer grows before a row, not in it", () => {
  const uuid = "0192d5a0-7c3e-7abc-8def-0123456789af";
  const long = { videoId: "v".repeat(128), eventType: "T".repeat(32), value: -Number.MAX_SAFE_INTEGER };
  const receivedAtMs = 8.64e15;
  const events: VideoEvent[] = [uuid, "i".repeat(128)].map((eventId) => {
    return { ...long, eventId, eventTimeMs: receivedAtMs };
  });
  const columns = columnsOf([...events, { eventId: "a", videoId: "v", eventType: "T", eventTimeMs: 1 }]);
  const rows = events.map((each) => rowOf(each, receivedAtMs));
  for (let length = 0; length < 300; length += 5) {
    const first: VideoEvent = { ...events[0]!, extra: { note: "x".repeat(length) } };
    const writer = new EventRowWriter();
    writer.add(columnsOf([first]), 0, receivedAtMs);
    const expected = [rowOf(first, receivedAtMs)];
    for (let n = 0; n < 120; n++) {
      writer.add(columns, n % 2, receivedAtMs);
      expected.push(rows[n % 2]!);
    }
    expect(Buffer.from(writer.take()).equals(Buffer.concat(expected))).toBe(true);
  }
});
