// SPDX-License-Identifier: Apache-2.0
/**
 * A pack: many archive objects in one file, which is itself an Avro object container that any Avro reader reads. The
 * blocks of all objects stand one behind the other under the sync marker of the pack; an index in the header says which
 * bytes are whose. An object is taken out with the bytes that it had: its own header is the pack's without the index,
 * and its sync marker stands in the index. The archive on disk packs audited hours in this form.
 */
import { createHash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { AvroError, AvroReader, AvroWriter } from "./binary";

const MAGIC = Buffer.from("Obj\x01", "latin1");
const INDEX = "viewmill.objects";
const SYNC_BYTES = 16;
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const MAX_INDEX_BYTES = 256 << 20;
/** A header of ours has some hundred bytes. */
export const MAX_HEAD_BYTES = 64 << 10;

export interface PackedObject {
  /** In the pack, unique. */
  name: string;
  /** Of the object's blocks, without its header. */
  bodyBytes: number;
  writtenAtMs: number;
  /** Hex. */
  sync: string;
}

export interface PackIndex {
  /** The header of each object, without its sync marker. */
  head: Buffer;
  objects: readonly PackedObject[];
  /** Where the blocks of the first object begin. */
  bodyAt: number;
  sync: Buffer;
}

/** The header of an object without its sync marker, and the marker. Throws AvroError. */
export function headOf(content: Uint8Array): { head: Buffer; sync: Buffer } {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const reader = new AvroReader(bytes);
  readMetadata(reader);
  const head = bytes.subarray(0, reader.position);
  return { head, sync: reader.take(SYNC_BYTES) };
}

/** The beginning of a pack, whose objects follow in this order. All of them have this header. */
export function packHead(packName: string, head: Buffer, objects: readonly PackedObject[]): Buffer {
  const rows = objects.map(({ name, bodyBytes, writtenAtMs, sync }) => [name, bodyBytes, writtenAtMs, sync]);
  const index = asText(zstdCompressSync(JSON.stringify({ version: 1, head: head.toString("base64"), objects: rows })));
  const writer = new AvroWriter(head.length + index.length + 64);
  const metadata = [...readMetadata(new AvroReader(head)), [INDEX, index] as const];
  writer.raw(MAGIC);
  writer.long(metadata.length);
  for (const [key, value] of metadata) {
    writer.string(key);
    writer.size(value.length);
    writer.raw(value);
  }
  writer.long(0);
  writer.raw(packSync(packName));
  return writer.finish();
}

/** A value of a header as text: fastavro reads no file whose header has other bytes, though the format allows them. */
const asText = (value: Buffer): Buffer => Buffer.from(value.toString("base64"));

/** Packs of earlier releases have the bytes themselves. */
const fromText = (value: Buffer): Buffer =>
  value.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC) ? value : Buffer.from(value.toString("latin1"), "base64");

export const packSync = (packName: string): Buffer =>
  createHash("sha256").update(packName).digest().subarray(0, SYNC_BYTES);

/** Reads the index at the start of a pack; undefined: more bytes are needed. Throws AvroError for another file. */
export function packIndex(beginning: Buffer): PackIndex | undefined {
  const reader = new AvroReader(beginning);
  let metadata: Map<string, Buffer>;
  let sync: Buffer;
  try {
    metadata = readMetadata(reader);
    sync = reader.take(SYNC_BYTES);
  } catch (error) {
    if (error instanceof AvroError && error.message.startsWith("the data ends")) return undefined;
    throw error;
  }
  const packed = metadata.get(INDEX);
  if (packed === undefined) throw new AvroError("the file is no pack: it has no index");
  try {
    const text = zstdDecompressSync(fromText(packed), { maxOutputLength: MAX_INDEX_BYTES }).toString("utf8");
    const { version, head, objects } = JSON.parse(text) as { version: number; head: string; objects: PackedRow[] };
    if (version !== 1) throw new AvroError(`the pack's index has version ${version}, this Viewmill knows 1`);
    return {
      head: Buffer.from(head, "base64"),
      objects: objects.map(([name, bodyBytes, writtenAtMs, own]) => ({ name, bodyBytes, writtenAtMs, sync: own })),
      bodyAt: reader.position,
      sync,
    };
  } catch (error) {
    if (error instanceof AvroError) throw error;
    throw new AvroError(`the pack's index cannot be read: ${(error as Error).message}`);
  }
}

type PackedRow = [name: string, bodyBytes: number, writtenAtMs: number, sync: string];

/**
 * The same blocks under another sync marker. Throws AvroError where a block does not end in the marker that it should
 * have.
 */
export function withSync(blocks: Uint8Array, from: Uint8Array, to: Uint8Array): Buffer {
  const changed = Buffer.from(blocks);
  const reader = new AvroReader(changed);
  while (reader.remaining > 0) {
    reader.size();
    reader.take(reader.size());
    const marker = reader.take(SYNC_BYTES);
    if (marker.compare(from) !== 0) throw new AvroError("a block does not end in the object's sync marker");
    marker.set(to);
  }
  return changed;
}

function readMetadata(reader: AvroReader): Map<string, Buffer> {
  if (reader.take(MAGIC.length).compare(MAGIC) !== 0) throw new AvroError("not an Avro object container file");
  const metadata = new Map<string, Buffer>();
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let i = 0; i < count; i++) metadata.set(reader.string(), reader.take(reader.size()));
  }
  return metadata;
}
