// SPDX-License-Identifier: Apache-2.0
/**
 * The compression of request bodies, where the platform has one. ViewmillClient and the command line compress with it.
 */
import { streamGzip } from "./stream-gzip";

/** Compresses a request body; `encoding` is its Content-Encoding. */
export interface Compressor {
  encoding: "gzip" | "zstd";
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The used part of node:zlib, without an import, so that a browser can load this file. */
interface NodeZlib {
  gzip(
    bytes: Uint8Array,
    options: { level: number },
    callback: (error: Error | null, compressed: Uint8Array) => void,
  ): void;
}

/**
 * Returns gzip of the platform: node:zlib at its fastest level, or else CompressionStream; undefined where both are
 * missing.
 */
export function platformGzip(): Compressor | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const zlib = host.process?.getBuiltinModule?.("node:zlib") as NodeZlib | undefined;
  if (zlib !== undefined) {
    return {
      encoding: "gzip",
      compress: (bytes) =>
        new Promise((resolve, reject) => {
          zlib.gzip(bytes, { level: 1 }, (error, compressed) => (error ? reject(error) : resolve(compressed)));
        }),
    };
  }
  return typeof CompressionStream === "undefined" ? undefined : { encoding: "gzip", compress: streamGzip };
}
