// SPDX-License-Identifier: Apache-2.0
/**
 * Inflates Snappy in the two forms of Kafka's producers. Java's producer writes chunks after a header (of the library
 * snappy-java); librdkafka writes one piece. The adapter of Kafka needs it for topics of direct producers.
 */
import { uncompress } from "snappyjs";

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
/** Magic, version and compatible version, followed by chunks, each after its length (4 bytes, big endian). */
const HEADER_BYTES = 16;
const LENGTH_BYTES = 4;
/** The number of bytes after the tag of a copy, by the kind in the tag. */
const COPY_BYTES = [0, 1, 2, 4] as const;

/**
 * Inflates Snappy. Throws where the bytes are not Snappy up to the last byte, or hold more than `maxBytes`
 * decompressed.
 */
export function inflateSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return inflatePiece(bytes, maxBytes);
  if (bytes.length < HEADER_BYTES) throw new Error("the snappy header is cut off");
  const chunks: Buffer[] = [];
  let left = maxBytes;
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const from = at + LENGTH_BYTES;
    if (from > bytes.length) throw new Error("the last snappy chunk is cut off");
    at = from + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new Error("the last snappy chunk is cut off");
    const chunk = inflatePiece(bytes.subarray(from, at), left);
    left -= chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Inflates one piece. snappyjs does not check whether a piece holds as much as it announces: the output of a shorter
 * piece ended in zeros.
 */
function inflatePiece(piece: Buffer, maxBytes: number): Buffer {
  const { announced, held } = pieceSizes(piece);
  if (held !== announced) throw new Error(`a snappy piece of ${announced} bytes holds ${held}`);
  return uncompress(piece, maxBytes);
}

/**
 * Returns the announced length of a piece, and the sum of the lengths of its elements (google/snappy,
 * format_description.txt).
 */
function pieceSizes(piece: Buffer): { announced: number; held: number } {
  let announced = 0;
  let at = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = piece[at++];
    if (byte === undefined || scale > 2 ** 28) throw new Error("a snappy piece is cut off in its length");
    announced += (byte & 127) * scale;
    if (byte < 128) break;
  }
  let held = 0;
  while (at < piece.length) {
    const tag = piece[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const lengthBytes = Math.max(0, (tag >> 2) - 59);
      if (at + lengthBytes > piece.length) throw new Error("a snappy piece is cut off in a literal");
      const length = 1 + (lengthBytes === 0 ? tag >> 2 : piece.readUIntLE(at, lengthBytes));
      at += lengthBytes + length;
      held += length;
    } else {
      at += COPY_BYTES[kind]!;
      held += kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    }
  }
  if (at > piece.length) throw new Error("a snappy piece is cut off in its last element");
  return { announced, held };
}
