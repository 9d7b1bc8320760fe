// SPDX-License-Identifier: Apache-2.0
/**
 * What kafkajs 2.2.4 leaves to its users, record batches that producers have compressed with zstd, snappy or lz4, and
 * its own gzip, which has no bound and leaves what follows the last member; importing this file applies it. Direct
 * producers compress as they like (docs/direct-producers.md). The appender does not compress, so of snappy and lz4
 * there is the reading half only.
 */
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import { CompressionCodecs, CompressionTypes } from "kafkajs";
import { inflateAsync } from "../formats/compression/inflate";
import { inflateLz4 } from "../formats/compression/lz4-frame";
import { inflateSnappy } from "../formats/compression/snappy-frame";

/** Of one record batch, inflated: a broker takes at most `max.message.bytes` (9 MiB) of it compressed. */
const MAX_BATCH_BYTES = 128 << 20;

const compressZstd = promisify(zstdCompress);
const compressGzip = promisify<Buffer, Buffer>(gzip);

CompressionCodecs[CompressionTypes.GZIP] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressGzip(encoder.buffer),
  decompress: (buffer: Buffer) => inflateAsync(buffer, "gzip", { maxBytes: MAX_BATCH_BYTES }),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressZstd(encoder.buffer),
  decompress: (buffer: Buffer) => inflateAsync(buffer, "zstd", { maxBytes: MAX_BATCH_BYTES }),
});
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  decompress: async (buffer: Buffer) => inflateSnappy(buffer, MAX_BATCH_BYTES),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  decompress: async (buffer: Buffer) => inflateLz4(buffer, MAX_BATCH_BYTES),
});
