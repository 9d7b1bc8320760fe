/** Snappy as Kafka's producers write it: in Java in chunks behind a header (of the library snappy-java), with librdkafka as one piece. */
import { uncompress } from "snappyjs";

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
/** Magic, version and compatible version; then chunks, each behind its length, 4 bytes, big endian. */
const HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

/** Throws where the bytes are no snappy, or more than `maxBytes` without compression. */
export function inflateSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return uncompress(bytes, maxBytes);
  const chunks: Buffer[] = [];
  let left = maxBytes;
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new Error("the last snappy chunk is cut off");
    const chunk = uncompress(bytes.subarray(from, at), left);
    left -= chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
