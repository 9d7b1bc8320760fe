// SPDX-License-Identifier: Apache-2.0
/**
 * Avro object container files (Avro 1.12 specification, "Object Container Files"), whole in memory. A flipped bit is
 * found: blocks are zstandard frames with its checksum (without it half of all flips decompressed to other rows), and
 * the header carries the schema's, because a changed field name would resolve to its default. Archive objects and dead
 * letters in a bucket are such files.
 */
import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { inflate } from "../compression/inflate";
import { AvroError, AvroReader, AvroWriter } from "./binary";
import { fingerprint, shippedSchema } from "./schema-registry";

const MAGIC = Buffer.from("Obj\x01", "latin1");
/** The header field for the schema's CRC-64-AVRO in hex. Files of other writers may lack it. */
const SCHEMA_CRC = "viewmill.schema.crc64";
/**
 * Level 1 is twice as fast here as the default 3, and compresses as well, because ids are random.
 * Tables that fit the first cache save another quarter, because what repeats, repeats in the rows just before. Matches
 * of less than six bytes are digits of ids that happen to be alike: without them blocks are 5 % smaller.
 */
const ZSTD = {
  [constants.ZSTD_c_compressionLevel]: 1,
  [constants.ZSTD_c_checksumFlag]: 1,
  [constants.ZSTD_c_windowLog]: 17,
  [constants.ZSTD_c_hashLog]: 12,
  [constants.ZSTD_c_minMatch]: 6,
};
const MIN_CHUNK_BYTES = 1024;

/** The schema in which files are written. */
interface FileSchema {
  text: string;
  crc: string;
}

/** Reads io/formats/schemas/<name>.avsc. */
export function fileSchema(name: string): FileSchema {
  const text = JSON.stringify(shippedSchema(name));
  return { text, crc: crcOf(text) };
}

const crcOf = (schemaText: string): string => fingerprint(schemaText).toString("hex");

export class ContainerWriter {
  private readonly blocks: Buffer[] = [];
  private readonly sync: Buffer;

  /** The same blocks under the same file name give the same bytes. */
  constructor(
    fileName: string,
    private readonly schema: FileSchema,
  ) {
    this.sync = createHash("sha256").update(fileName).digest().subarray(0, 16);
  }

  addBlock(rowCount: number, rows: Uint8Array): void {
    // One piece: node puts an answer together of pieces of 16 KiB otherwise.
    const packed = zstdCompressSync(rows, { params: ZSTD, chunkSize: Math.max(MIN_CHUNK_BYTES, rows.length) });
    const head = new AvroWriter(20);
    head.size(rowCount);
    head.size(packed.length);
    this.blocks.push(head.finish(), packed, this.sync);
  }

  /** Returns the whole file. The writer must not be used afterwards. */
  finish(): Buffer {
    const head = new AvroWriter(1024);
    head.raw(MAGIC);
    head.long(3);
    head.string("avro.schema");
    head.string(this.schema.text);
    head.string("avro.codec");
    head.string("zstandard");
    head.string(SCHEMA_CRC);
    head.string(this.schema.crc);
    head.long(0);
    head.raw(this.sync);
    return Buffer.concat([head.finish(), ...this.blocks]);
  }
}

interface ContainerFile {
  /** The writer's schema; undefined where it equals `expected`. */
  otherSchema: string | undefined;
  blocks: Generator<{ rowCount: number; rows: Buffer }>;
}

/**
 * Opens a file. Throws AvroError, at once or while blocks are read, where the file is cut or damaged, or a block claims
 * more than `maxBlockBytes` decompressed.
 */
export function openContainer(content: Uint8Array, expected: FileSchema, maxBlockBytes: number): ContainerFile {
  const reader = new AvroReader(Buffer.from(content.buffer, content.byteOffset, content.byteLength));
  const { schema, codec } = readHeader(reader, expected);
  return {
    otherSchema: schema === expected.text ? undefined : schema,
    blocks: readBlocks(reader, codec, maxBlockBytes),
  };
}

function* readBlocks(reader: AvroReader, codec: string, maxBlockBytes: number): ContainerFile["blocks"] {
  const sync = reader.take(16);
  while (reader.remaining > 0) {
    const rowCount = reader.size();
    const packed = reader.take(reader.size());
    if (reader.take(16).compare(sync) !== 0) throw new AvroError("a block does not end in the object's sync marker");
    yield { rowCount, rows: unpack(packed, codec, maxBlockBytes) };
  }
}

function readHeader(reader: AvroReader, expected: FileSchema): { schema: string; codec: string } {
  if (reader.take(4).compare(MAGIC) !== 0) throw new AvroError("not an Avro object container file");
  const metadata = new Map<string, string>();
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let i = 0; i < count; i++) metadata.set(reader.string(), reader.take(reader.size()).toString("utf8"));
  }
  const schema = metadata.get("avro.schema") ?? "";
  const crc = metadata.get(SCHEMA_CRC);
  if (schema !== expected.text && crc !== undefined && crc !== crcOf(schema)) {
    throw new AvroError("the object's schema is damaged");
  }
  return { schema, codec: metadata.get("avro.codec") ?? "null" };
}

function unpack(packed: Buffer, codec: string, maxBlockBytes: number): Buffer {
  if (codec === "null") return packed;
  if (codec !== "zstandard") throw new AvroError(`codec ${codec} is not known`);
  try {
    return inflate(packed, "zstd", { maxBytes: maxBlockBytes });
  } catch (error) {
    throw new AvroError(`a block cannot be decompressed: ${(error as Error).message}`);
  }
}
