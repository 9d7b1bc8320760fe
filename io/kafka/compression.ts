/**
 * What kafkajs 2.2.4 leaves to its users: record batches that producers have compressed with zstd, snappy or lz4 (gzip is its own); importing this file applies it.
 * Direct producers compress as they like (docs/direct-producers.md). The appender does not compress, so of the latter two there is the reading half only.
 */
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { CompressionCodecs, CompressionTypes } from "kafkajs";
import { inflateLz4 } from "./lz4-frame";
import { inflateSnappy } from "./snappy-frame";

/** Of one record batch, inflated: a broker takes at most `max.message.bytes` (9 MiB) of it compressed. */
const MAX_BATCH_BYTES = 128 << 20;

const compressZstd = promisify(zstdCompress);
const inflateZstd = promisify<Buffer, { maxOutputLength: number }, Buffer>(zstdDecompress);

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressZstd(encoder.buffer),
  decompress: (buffer: Buffer) => inflateZstd(buffer, { maxOutputLength: MAX_BATCH_BYTES }),
});
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  decompress: async (buffer: Buffer) => inflateSnappy(buffer, MAX_BATCH_BYTES),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  decompress: async (buffer: Buffer) => inflateLz4(buffer, MAX_BATCH_BYTES),
});
