// SPDX-License-Identifier: Apache-2.0
/** The readers of compressed things, each given its input in several frames, and with something left over behind it. */
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { inflateMessage } from "../../../intake/inflate-message";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import { AvroWriter } from "../../../io/formats/avro/binary";
import { fileSchema } from "../../../io/formats/avro/container";
import { decodeDeadLetters, encodeDeadLetters } from "../../../io/formats/avro/dead-letter-object";
import type { NewDeadLetter } from "../../../io/ports";
import { MinuteRecount } from "../../../transforms/minute-recount";
import { columnsOf, T0 } from "../../domain/model";
import { event, IngestHarness } from "../../ingest-api/ingest-harness";
import { archiveObject } from "./avro/events";

const MINUTE = Math.floor(T0 / 60_000);
const EVENTS = ["a", "b"].map((eventId) => ({ eventId, videoId: "v", eventType: "VIEW", eventTimeMs: T0, value: 2 }));

/** A container whose one block has these compressed bytes. */
function container(schemaName: string, rowCount: number, packed: Uint8Array): Buffer {
  const schema = fileSchema(schemaName);
  const file = new AvroWriter();
  const sync = createHash("sha256").update("file").digest().subarray(0, 16);
  file.raw(Buffer.from("Obj\x01", "latin1"));
  file.long(2);
  for (const text of ["avro.schema", schema.text, "avro.codec", "zstandard"]) file.string(text);
  file.long(0);
  file.raw(sync);
  file.long(rowCount);
  file.bytesValue(packed);
  file.raw(sync);
  return file.finish();
}

/** The rows as they stand in a container of ours, decompressed. */
function rowsOf(object: Buffer): Buffer {
  const at = object.indexOf(Buffer.from("28b52ffd", "hex"));
  const inflated = inflateMessage(object.subarray(at, -16), 1 << 20);
  if (inflated.kind !== "bytes") throw new Error(inflated.detail);
  return inflated.bytes;
}

const inFrames = (bytes: Buffer, cut: number): Buffer =>
  Buffer.concat([zstdCompressSync(bytes.subarray(0, cut)), zstdCompressSync(bytes.subarray(cut))]);

describe("an archive object", () => {
  const rows = rowsOf(archiveObject("w.avro", columnsOf(EVENTS), T0));

  it("whose block is two frames is read whole, by the stream's reader and by the audit's", async () => {
    const object = container("event-v1", 2, inFrames(rows, 20));
    expect([...readArchiveObject(object, MINUTE)].map(({ columns }) => columns.count)).toEqual([2]);
    const recount = new MinuteRecount(MINUTE);
    expect(recount.addObject(object)).toBe(2);
    expect(recount.totals().distinct).toBe(2);
  });

  it.each([
    [
      "bytes behind the frame of a block",
      container("event-v1", 2, Buffer.concat([zstdCompressSync(rows), Buffer.from("x")])),
    ],
    ["a block with a row more than it says", container("event-v1", 1, zstdCompressSync(rows))],
    ["a block with a row less than it says", container("event-v1", 3, zstdCompressSync(rows))],
    [
      "bytes behind the last block",
      Buffer.concat([container("event-v1", 2, zstdCompressSync(rows)), Buffer.from("x")]),
    ],
    ["a cut", container("event-v1", 2, zstdCompressSync(rows)).subarray(0, -1)],
  ])("with %s is refused by both", async (_what, object) => {
    expect(() => [...readArchiveObject(object, MINUTE)]).toThrow();
    expect(() => new MinuteRecount(MINUTE).addObject(object)).toThrow();
  });
});

test("dead letters whose block is two frames are all read, and what is left over is refused", () => {
  const letters = ["one", "two"].map(
    (text): NewDeadLetter => ({
      receivedAtMs: T0,
      reason: "not-json",
      detail: text,
      payload: Buffer.from(text),
      contentType: "application/json",
      source: "ingest",
    }),
  );
  const rows = rowsOf(encodeDeadLetters("l.avro", letters));
  const read = decodeDeadLetters(container("dead-letter-v1", 2, inFrames(rows, 9)));
  expect(read.map(({ detail }) => detail)).toEqual(["one", "two"]);
  expect(() => decodeDeadLetters(container("dead-letter-v1", 1, zstdCompressSync(rows)))).toThrow("left over");
});

describe("a body over HTTP", () => {
  let harness: IngestHarness;
  beforeEach(async () => {
    harness = await IngestHarness.start();
  });
  afterEach(() => harness.stop());
  const line = () => Buffer.from(`${JSON.stringify(event())}\n`);
  const skippable = Buffer.from("5f2a4d1803000000616263", "hex");
  const post = (body: Uint8Array, encoding: string) =>
    harness.post(body, { "Content-Type": "application/x-ndjson", "Content-Encoding": encoding });

  it.each([
    ["zstd", () => Buffer.concat([zstdCompressSync(line()), zstdCompressSync(line())])],
    ["zstd", () => Buffer.concat([skippable, zstdCompressSync(line()), skippable, zstdCompressSync(line())])],
    ["gzip", () => Buffer.concat([gzipSync(line()), gzipSync(line())])],
  ])("in several parts of %s is accepted whole", async (encoding, body) => {
    expect(await post(body(), encoding)).toMatchObject({ status: 202, body: { accepted: 2, rejected: [] } });
    expect(await harness.events()).toHaveLength(2);
  });

  it.each([
    ["zstd", zstdCompressSync],
    ["gzip", gzipSync],
  ] as const)("with anything else behind its %s is refused whole", async (encoding, compress) => {
    for (const rest of [Buffer.from("garbage"), Buffer.alloc(8), line()]) {
      const answer = await post(Buffer.concat([compress(line()), rest]), encoding);
      expect(answer).toMatchObject({ status: 400, body: { type: "urn:viewmill:problem:malformed-body" } });
    }
    expect(await harness.events()).toEqual([]);
  });
});
