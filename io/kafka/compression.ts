// SPDX-License-Identifier: Apache-2.0
/**
 * Adds decompression to kafkajs 2.2.4: zstd, snappy and lz4, which it leaves to its users, and gzip, whose own version
 * has no bound and ignores bytes after the last member. Importing this file applies the changes. Direct producers
 * compress as they like (docs/direct-producers.md). The appender does not compress, so snappy and lz4 have the reading
 * half only.
 */
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import { CompressionCodecs, CompressionTypes } from "kafkajs";
import { inflateAsync } from "../formats/compression/inflate";
import { inflateLz4 } from "../formats/compression/lz4-frame";
import { inflateSnappy } from "../formats/compression/snappy-frame";

/** The inflated bytes of one record batch. A broker takes at most `max.message.bytes` (9 MiB) of it compressed. */
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
