/** zstd for kafkajs 2.2.4, which leaves it to its users; importing this file applies it. Direct producers may compress (docs/direct-producers.md). */
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { CompressionCodecs, CompressionTypes } from "kafkajs";

/** Of one record batch, inflated: a broker takes at most `max.message.bytes` (9 MiB) of it compressed. */
const MAX_BATCH_BYTES = 128 << 20;

const compress = promisify(zstdCompress);
const decompress = promisify<Buffer, { maxOutputLength: number }, Buffer>(zstdDecompress);

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => compress(encoder.buffer),
  decompress: (buffer: Buffer) => decompress(buffer, { maxOutputLength: MAX_BATCH_BYTES }),
});
