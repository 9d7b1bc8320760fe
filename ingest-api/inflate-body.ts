import { promisify } from "node:util";
import { constants, gunzip, gunzipSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import type { BodyEncoding } from "./body-format";

export type Inflated = { kind: "bytes"; bytes: Buffer } | { kind: "too-large" } | { kind: "corrupt"; detail: string };

/** Up to here a body is inflated on the event loop: cheaper than the way to the thread pool and back. */
const MAX_SYNC_BYTES = 64 << 10;
/** Windows beyond 8 MiB (zstd --ultra, --long) are refused: the window is allocated before a byte is inflated. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };

const gunzipAsync = promisify(gunzip);
const zstdAsync = promisify(zstdDecompress);

/** Undoes the Content-Encoding; zlib stops by itself at `maxBytes`, so a bomb never takes more memory than that. */
export async function inflateBody(bytes: Buffer, encoding: BodyEncoding, maxBytes: number): Promise<Inflated> {
  if (encoding === "identity") return { kind: "bytes", bytes };
  const sync = bytes.length <= MAX_SYNC_BYTES;
  const bound = { maxOutputLength: maxBytes };
  try {
    if (encoding === "gzip") {
      return { kind: "bytes", bytes: sync ? gunzipSync(bytes, bound) : await gunzipAsync(bytes, bound) };
    }
    const options = { ...bound, params: ZSTD_PARAMS };
    return { kind: "bytes", bytes: sync ? zstdDecompressSync(bytes, options) : await zstdAsync(bytes, options) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE" || code === "ZSTD_error_frameParameter_windowTooLarge") {
      return { kind: "too-large" };
    }
    return { kind: "corrupt", detail: `the body is no ${encoding} stream: ${message}` };
  }
}
