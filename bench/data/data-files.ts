// SPDX-License-Identifier: Apache-2.0
/** The data of the measurements in files, in the forms in which the compared systems read them. */
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type EventColumns, eventJsonAt } from "../../domain/columns/event-columns";
import { encodeBatch } from "../../io/formats/avro/batch";
import { defineTask } from "../task";
import { type DataParameters, EventSource } from "./event-source";

export type { DataParameters } from "./event-source";

const BUFFER_BYTES = 8 << 20;

/**
 * Writes generated events. `frames`: columnar Avro batches, each behind its length (uint32, little-endian);
 * `gzip-json`: frames too, each a gzipped JSON array; `ndjson`: one event a line.
 */
export const writeData = defineTask(
  __filename,
  "write-data",
  ({ path, format, data }: { path: string; format: "frames" | "ndjson" | "gzip-json"; data: DataParameters }) => {
    const out = openSync(path, "w");
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    const flush = () => {
      writeFileSync(out, Buffer.concat(pending));
      [pending, pendingBytes] = [[], 0];
    };
    for (const columns of new EventSource(data).batches()) {
      for (const part of encoded(columns, format)) {
        pending.push(part);
        pendingBytes += part.length;
      }
      if (pendingBytes >= BUFFER_BYTES) flush();
    }
    flush();
    closeSync(out);
  },
);

function encoded(columns: EventColumns, format: "frames" | "ndjson" | "gzip-json"): Buffer[] {
  if (format === "ndjson") return [Buffer.from(`${jsonEvents(columns).join("\n")}\n`)];
  if (format === "gzip-json") return framed(gzipSync(`[${jsonEvents(columns).join(",")}]`));
  const lastMs = columns.timesMs.reduce((latest, timeMs) => Math.max(latest, timeMs), 0);
  return framed(encodeBatch(columns, { receivedAtMs: lastMs + 250, producerId: "ingest", batchId: String(lastMs) }));
}

function jsonEvents(columns: EventColumns): string[] {
  return Array.from({ length: columns.count }, (_, row) => eventJsonAt(columns, row));
}

function framed(payload: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  return [length, payload];
}

/** The frames of a file, read in pieces of 8 MiB; each is a view that stays valid. */
export function* readFrames(path: string): Generator<Buffer> {
  for (const [bytes, from, to] of pieces(path, (piece, at) =>
    piece.length - at < 4 ? undefined : 4 + piece.readUInt32LE(at),
  )) {
    yield bytes.subarray(from + 4, to);
  }
}

/** The lines of a file as text. */
export function* readLines(path: string): Generator<string> {
  const lineLength = (piece: Buffer, at: number) => {
    const end = piece.indexOf(10, at);
    return end < 0 ? undefined : end + 1 - at;
  };
  for (const [bytes, from, to] of pieces(path, lineLength)) yield bytes.latin1Slice(from, to - 1);
}

/**
 * Records [from, to) of a file; `lengthOf` says how long the one at `at` is, or undefined while its end is not known.
 */
function* pieces(
  path: string,
  lengthOf: (piece: Buffer, at: number) => number | undefined,
): Generator<[Buffer, number, number]> {
  const file = openSync(path, "r");
  try {
    let rest = Buffer.alloc(0);
    for (;;) {
      const piece = Buffer.allocUnsafeSlow(rest.length + BUFFER_BYTES);
      rest.copy(piece);
      const got = readSync(file, piece, rest.length, BUFFER_BYTES, null);
      if (got === 0) return;
      const filled = piece.subarray(0, rest.length + got);
      let at = 0;
      for (let length = lengthOf(filled, at); length !== undefined && at + length <= filled.length; ) {
        yield [filled, at, at + length];
        at += length;
        length = lengthOf(filled, at);
      }
      rest = filled.subarray(at);
    }
  } finally {
    closeSync(file);
  }
}
