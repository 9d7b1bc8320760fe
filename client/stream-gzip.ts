// SPDX-License-Identifier: Apache-2.0
/** Compresses by the Web's CompressionStream. The client uses it where node:zlib is missing, as in browsers. */
export async function streamGzip(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
