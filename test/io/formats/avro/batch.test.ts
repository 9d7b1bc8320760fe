// SPDX-License-Identifier: Apache-2.0
import { type Schema, Type } from "avsc";
import fc from "fast-check";
import { validateColumns } from "../../../../domain/columns/event-columns";
import { BatchFormatError, decodeBatch, encodeBatch, withReceivedAt } from "../../../../io/formats/avro/batch";
import { schemas } from "../../../../io/formats/avro/schemas";
import { anyEvent, columnsOf, T0 } from "../../../domain/model";
import { allEvents, batchType, changedSchema, wholeBatchType } from "./events";

const header = fc.record({
  receivedAtMs: fc.maxSafeNat(),
  producerId: fc.string({ maxLength: 40 }),
  batchId: fc.string({ unit: "grapheme", maxLength: 40 }),
});
const anyAge = { receivedAtMs: Number.MAX_VALUE, rawRetentionMs: Number.POSITIVE_INFINITY };
const ownHeader = { receivedAtMs: T0, producerId: "p", batchId: "b" };
const PREFIX = encodeBatch(columnsOf([]), ownHeader).subarray(0, 10);

/** A batch as avsc reads it, with int64 as bigint. */
interface AvroBatch {
  receivedAtMs: bigint;
  count: number;
  ids: Buffer;
  videos: string[];
  videoIndex: number[];
  types: string[];
  typeIndex: number[];
  baseTimeMs: bigint;
  timeDeltasMs: bigint[];
  valueRows: number[];
  values: bigint[];
  hashedIdRows: number[];
  hashedIds: string[];
  extraRows: number[];
  extras: string[];
}

const byAvsc = (message: Uint8Array) => wholeBatchType.fromBuffer(Buffer.from(message).subarray(10)) as AvroBatch;
const asMessage = (record: unknown) => Buffer.concat([PREFIX, wholeBatchType.toBuffer(record)]);

test("a batch comes back as it was, header and events", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), header, (events, head) => {
      const decoded = decodeBatch(encodeBatch(columnsOf(events), head));
      expect({ receivedAtMs: decoded.receivedAtMs, producerId: decoded.producerId, batchId: decoded.batchId }).toEqual(
        head,
      );
      expect(allEvents(decoded.columns)).toEqual(events);
      expect(validateColumns(decoded.columns, anyAge)).toEqual([]);
    }),
  );
});

test("avsc reads what is written by hand", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), header, (events, head) => {
      const record = byAvsc(encodeBatch(columnsOf(events), head));
      expect(record).toMatchObject({ ...head, receivedAtMs: BigInt(head.receivedAtMs), count: events.length });
      expect(record.videoIndex.map((video) => record.videos[video])).toEqual(events.map(({ videoId }) => videoId));
      expect(record.typeIndex.map((type) => record.types[type])).toEqual(events.map(({ eventType }) => eventType));
      expect(record.timeDeltasMs.map((delta) => Number(delta + record.baseTimeMs))).toEqual(
        events.map(({ eventTimeMs }) => eventTimeMs),
      );
      const values = new Map(record.valueRows.map((row, i) => [row, Number(record.values[i])]));
      expect(events.map((_, row) => values.get(row))).toEqual(events.map(({ value }) => value));
    }),
  );
});

test("a batch written by avsc is read by hand, to the same bytes", () => {
  fc.assert(
    fc.property(fc.array(anyEvent), header, (events, head) => {
      const message = encodeBatch(columnsOf(events), head);
      const again = asMessage(byAvsc(message));
      expect(again.equals(message)).toBe(true);
      expect(allEvents(decodeBatch(again).columns)).toEqual(events);
    }),
  );
});

test("a value beyond 2^53-1 refuses its event, not its batch", () => {
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    const events = ["a", "b"].map((eventId) => ({
      eventId,
      videoId: "v",
      eventType: "VIEW",
      eventTimeMs: T0,
      value: 1,
    }));
    const record = byAvsc(encodeBatch(columnsOf(events), ownHeader));
    const { columns } = decodeBatch(asMessage({ ...record, values: [value, 1n] }));
    expect(validateColumns(columns, anyAge)).toMatchObject([{ index: 0, eventId: "a", reason: "bad-value" }]);
  }
});

test("a time beyond 2^53-1 refuses its event, not its batch", () => {
  const event = { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
  const record = byAvsc(encodeBatch(columnsOf([event, event]), ownHeader));
  const { columns } = decodeBatch(asMessage({ ...record, timeDeltasMs: [0n, 2n ** 60n] }));
  expect(validateColumns(columns, anyAge)).toMatchObject([{ index: 1, reason: "bad-event-time" }]);
});

test("another receipt time changes nothing else", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 4 }), header, fc.maxSafeNat(), (events, head, receivedAtMs) => {
      const columns = columnsOf(events);
      const stamped = withReceivedAt(encodeBatch(columns, head), receivedAtMs);
      expect(stamped.equals(encodeBatch(columns, { ...head, receivedAtMs }))).toBe(true);
    }),
  );
});

describe("schemas change", () => {
  const events = [
    { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0, value: 7 },
    { eventId: "0190a0a0-0000-7000-8000-000000000001", videoId: "w", eventType: "LIKE", eventTimeMs: T0 + 1 },
  ];
  const record = batchType.fromBuffer(encodeBatch(columnsOf(events), ownHeader).subarray(10)) as object;

  function writtenWith(name: string, schema: Schema, more: object): Buffer {
    const { type, fingerprint } = schemas.add(name, schema);
    return Buffer.concat([Buffer.from([0xc3, 0x01]), fingerprint, type.toBuffer({ ...record, ...more })]);
  }

  test("a newer writer with an added field is read, the field ignored", () => {
    const newer = changedSchema("batch-v1", (fields) => [
      { name: "region", type: "string", default: "" },
      ...fields,
      { name: "priorities", type: { type: "array", items: "int" }, default: [] },
    ]);
    const message = writtenWith("batch-v2", newer, { region: "eu", priorities: [1, 2] });
    expect(allEvents(decodeBatch(message).columns)).toEqual(events);
    expect(decodeBatch(withReceivedAt(message, 5))).toMatchObject({ receivedAtMs: 5, producerId: "p", batchId: "b" });
  });

  test("an older writer without the sparse columns is read, as one that has nothing in them", () => {
    const sparse = new Set(["valueRows", "values", "hashedIdRows", "hashedIds", "extraRows", "extras"]);
    const older = changedSchema("batch-v1", (fields) => fields.filter(({ name }) => !sparse.has(name as string)));
    const uuids = [
      { eventId: "0190a0a0-0000-7000-8000-000000000001", videoId: "v", eventType: "VIEW", eventTimeMs: T0 },
    ];
    const { type, fingerprint } = schemas.add("batch-v0", older);
    const body = type.toBuffer(batchType.fromBuffer(encodeBatch(columnsOf(uuids), ownHeader).subarray(10)));
    const message = Buffer.concat([Buffer.from([0xc3, 0x01]), fingerprint, body]);
    expect(allEvents(decodeBatch(message).columns)).toEqual(uuids);
  });

  test("an older reader reads today's writer: the schema without a field resolves", () => {
    const olderReader = Type.forSchema(
      changedSchema("batch-v1", (fields) => fields.filter(({ name }) => name !== "extras" && name !== "extraRows")),
    );
    const resolver = olderReader.createResolver(batchType);
    const read = olderReader.fromBuffer(encodeBatch(columnsOf(events), ownHeader).subarray(10), resolver);
    expect(read).toMatchObject({ count: 2, videos: ["v", "w"] });
  });

  test("a schema that lacks what an event needs is unknown-schema, its bytes not-avro where they are cut", () => {
    const without = changedSchema("batch-v1", (fields) => fields.filter(({ name }) => name !== "ids"));
    const message = writtenWith("batch-without-ids", without, {});
    expect(() => decodeBatch(message)).toThrow(
      expect.objectContaining({ name: "BatchFormatError", reason: "unknown-schema" }),
    );
    const newer = changedSchema("batch-v1", (fields) => [...fields, { name: "more", type: "int", default: 0 }]);
    const cut = writtenWith("batch-v3", newer, { more: 5 }).subarray(0, -3);
    expect(() => decodeBatch(cut)).toThrow(expect.objectContaining({ name: "BatchFormatError", reason: "not-avro" }));
  });

  test("a fingerprint nobody registered is unknown-schema, anything else not-avro", () => {
    const unknown = Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.alloc(8, 9), Buffer.alloc(30)]);
    expect(() => decodeBatch(unknown)).toThrow(expect.objectContaining({ reason: "unknown-schema" }));
    for (const bytes of [Buffer.alloc(0), Buffer.from("{}"), Buffer.from([0xc3]), PREFIX.subarray(0, 9), PREFIX]) {
      expect(() => decodeBatch(bytes)).toThrow(expect.objectContaining({ reason: "not-avro" }));
    }
  });
});

describe("what is not a batch is refused with BatchFormatError and nothing else", () => {
  const sample = encodeBatch(
    columnsOf(fc.sample(anyEvent, { numRuns: 12, seed: 5 }).concat(fc.sample(anyEvent, { numRuns: 3, seed: 6 }))),
    ownHeader,
  );

  /**
   * Returns whether the bytes are decoded. Decoded columns must be consistent (no reader of them falls off an end) and
   * equal to avsc's. Errors other than BatchFormatError are thrown on.
   */
  function tryDecode(bytes: Uint8Array): boolean {
    try {
      const { columns } = decodeBatch(bytes);
      const { count } = columns;
      const record = byAvsc(bytes);
      expect(count).toBe(record.count);
      // By index, because the text of a name that is not ASCII is arbitrary: its event is refused (validateColumns).
      expect([...columns.videoIndex]).toEqual(record.videoIndex);
      expect([...columns.typeIndex]).toEqual(record.typeIndex);
      expect([columns.videoIndex.length, columns.typeIndex.length, columns.timesMs.length]).toEqual([
        count,
        count,
        count,
      ]);
      expect(columns.ids.length).toBe(count * 16);
      expect(columns.videoIndex.every((video) => video < columns.videos.length)).toBe(true);
      expect(columns.typeIndex.every((type) => type < columns.types.length)).toBe(true);
      validateColumns(columns, anyAge);
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(BatchFormatError);
      return false;
    }
  }

  test("cut anywhere", () => {
    for (let end = 0; end < sample.length; end++) expect(tryDecode(sample.subarray(0, end))).toBe(false);
  });

  test("with bytes left over", () => {
    expect(tryDecode(Buffer.concat([sample, Buffer.from([0])]))).toBe(false);
  });

  test("with any byte set to anything", () => {
    let refused = 0;
    let decoded = 0;
    for (let at = 0; at < sample.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff, sample[at]! ^ 1]) {
        if (value === sample[at]) continue;
        const bytes = Buffer.from(sample);
        bytes[at] = value;
        const isDecoded = tryDecode(bytes);
        if (at < PREFIX.length) expect([at, value, isDecoded]).toEqual([at, value, false]);
        if (isDecoded) decoded++;
        else refused++;
      }
    }
    expect(Math.min(refused, decoded)).toBeGreaterThan(100);
  });

  test("with bytes changed, put in and taken out at random", () => {
    const edit = fc.record({
      at: fc.nat(sample.length - 11),
      remove: fc.nat(8),
      insert: fc.uint8Array({ maxLength: 12 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let bytes: Buffer = sample;
        for (const { at, remove, insert } of edits) {
          bytes = Buffer.concat([bytes.subarray(0, 10 + at), insert, bytes.subarray(10 + at + remove)]);
        }
        tryDecode(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  test("of random bytes behind the right fingerprint", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
        tryDecode(Buffer.concat([PREFIX, body]));
      }),
      { numRuns: 3000 },
    );
  });

  test("claims of sizes that are not there allocate nothing", () => {
    const record = byAvsc(sample);
    const before = process.memoryUsage().arrayBuffers;
    for (const count of [2 ** 31 - 1, -1, 16]) expect(tryDecode(asMessage({ ...record, count }))).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  test.each<[string, Partial<AvroBatch>]>([
    ["ids short of a byte", { ids: Buffer.alloc(15) }],
    ["rows of values that do not ascend", { valueRows: [1, 0], values: [1n, 1n] }],
    ["a row of values twice", { valueRows: [0, 0], values: [1n, 1n] }],
    ["a row of values beyond the batch", { valueRows: [99], values: [1n] }],
    ["rows without values", { valueRows: [0], values: [] }],
    ["an extra that is no JSON", { extraRows: [0], extras: ["{"] }],
    ["an extra that is a list", { extraRows: [0], extras: ["[]"] }],
    ["an extra that is null", { extraRows: [0], extras: ["null"] }],
    ["a hashed id beyond the batch", { hashedIdRows: [99], hashedIds: ["a"] }],
  ])("%s", (_what, fields) => {
    const event = { eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: T0 };
    expect(tryDecode(asMessage({ ...byAvsc(encodeBatch(columnsOf([event, event]), ownHeader)), ...fields }))).toBe(
      false,
    );
  });
});
