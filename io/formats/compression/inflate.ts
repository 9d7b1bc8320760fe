// SPDX-License-Identifier: Apache-2.0
/**
 * Decompresses gzip (RFC 1952) and zstandard (RFC 8878) to the last byte: every member and every frame is read, or an
 * InflateError is thrown. All decompression of Viewmill runs here: HTTP bodies, messages, archive blocks and Kafka's
 * record batches.
 */
import { promisify } from "node:util";
import {
  constants,
  type Gunzip,
  gunzip,
  gunzipSync,
  type ZstdOptions,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { ZstdFrameError, zstdFrames } from "./zstd-frames";

export type Compression = "gzip" | "zstd";

interface InflateBounds {
  /** The decompressed bytes of all members or frames together. */
  maxBytes: number;
  /**
   * A zstd frame with a larger window is refused, because the window is allocated before a byte is inflated. Default:
   * zstd's own bound, 27.
   */
  maxWindowLog?: number;
}

/** Thrown where the bytes exceed a bound, or are not wholly of the stated format. */
export class InflateError extends Error {
  override readonly name = "InflateError";
  constructor(
    readonly kind: "too-large" | "corrupt",
    detail: string,
  ) {
    super(detail);
  }
}

/** The largest window for bytes of strangers: 8 MiB (zstd --ultra and --long have larger ones). */
export const STRANGERS_WINDOW_LOG = 23;

/** Up to this size, the event loop does the work more cheaply than the thread pool. */
const MAX_SYNC_BYTES = 64 << 10;
const TOO_LARGE = new Set(["ERR_BUFFER_TOO_LARGE", "ZSTD_error_frameParameter_windowTooLarge"]);

interface Gunzipped {
  buffer: Buffer;
  engine: Gunzip;
}

/** Decompresses. Throws InflateError. */
export function inflate(bytes: Buffer, compression: Compression, bounds: InflateBounds): Buffer {
  return translated(compression, () => (compression === "gzip" ? gunzipped(bytes, bounds) : unzstd(bytes, bounds)));
}

/** Decompresses as `inflate` does, large inputs on the thread pool. Rejects with InflateError. */
export async function inflateAsync(bytes: Buffer, compression: Compression, bounds: InflateBounds): Promise<Buffer> {
  if (bytes.length <= MAX_SYNC_BYTES) return inflate(bytes, compression, bounds);
  try {
    return await (compression === "gzip" ? gunzippedAsync(bytes, bounds) : unzstdAsync(bytes, bounds));
  } catch (error) {
    throw inflateError(compression, error);
  }
}

function gunzipped(bytes: Buffer, { maxBytes }: InflateBounds): Buffer {
  const options = { maxOutputLength: maxBytes, info: true };
  return wholeGzip(bytes, gunzipSync(bytes, options) as unknown as Gunzipped);
}

async function gunzippedAsync(bytes: Buffer, { maxBytes }: InflateBounds): Promise<Buffer> {
  const options = { maxOutputLength: maxBytes, info: true };
  const result = await promisify<Buffer, object, unknown>(gunzip)(bytes, options);
  return wholeGzip(bytes, result as Gunzipped);
}

/**
 * Checks the end of the input. zlib reads all members and refuses other bytes, except zeros, which it takes for padding
 * and leaves unread.
 */
function wholeGzip(bytes: Buffer, { buffer, engine }: Gunzipped): Buffer {
  if (engine.bytesWritten === bytes.length) return buffer;
  throw new InflateError("corrupt", `${bytes.length - engine.bytesWritten} bytes follow the last gzip member`);
}

function unzstd(bytes: Buffer, bounds: InflateBounds): Buffer {
  const output = new FrameOutput(bounds);
  for (const frame of zstdFrames(bytes)) output.add(zstdDecompressSync(frame, output.options()));
  return output.whole();
}

async function unzstdAsync(bytes: Buffer, bounds: InflateBounds): Promise<Buffer> {
  const output = new FrameOutput(bounds);
  for (const frame of zstdFrames(bytes)) {
    const small = frame.length <= MAX_SYNC_BYTES;
    const options = output.options();
    output.add(small ? zstdDecompressSync(frame, options) : await promisify(zstdDecompress)(frame, options));
  }
  return output.whole();
}

/** Collects the content of the frames, bounded over all of them. */
class FrameOutput {
  private readonly parts: Buffer[] = [];
  private size = 0;

  constructor(private readonly bounds: InflateBounds) {}

  /** Node requires a bound of at least 1, so `add` checks the sum again. */
  options(): ZstdOptions {
    const { maxBytes, maxWindowLog } = this.bounds;
    const params = maxWindowLog === undefined ? {} : { params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog } };
    return { maxOutputLength: Math.max(1, maxBytes - this.size), ...params };
  }

  add(part: Buffer): void {
    this.size += part.length;
    if (this.size > this.bounds.maxBytes) throw new InflateError("too-large", tooLarge(this.bounds));
    this.parts.push(part);
  }

  whole(): Buffer {
    return this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts, this.size);
  }
}

const tooLarge = ({ maxBytes }: InflateBounds): string => `more than ${maxBytes} bytes are in it`;

function translated(compression: Compression, work: () => Buffer): Buffer {
  try {
    return work();
  } catch (error) {
    throw inflateError(compression, error);
  }
}

function inflateError(compression: Compression, error: unknown): Error {
  if (error instanceof InflateError) return error;
  if (error instanceof ZstdFrameError) return new InflateError("corrupt", error.message);
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (TOO_LARGE.has(code)) return new InflateError("too-large", message);
  return new InflateError("corrupt", `no whole ${compression} stream: ${message}`);
}
