// SPDX-License-Identifier: Apache-2.0
/**
 * gzip (RFC 1952) and zstandard (RFC 8878), undone: every member and every frame is read, up to the last byte, or it is
 * an InflateError. The one place where Viewmill decompresses either: HTTP bodies, messages, archive blocks and Kafka's
 * record batches come here.
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
  /** Of all members or frames together, decompressed. */
  maxBytes: number;
  /**
   * A zstd frame with a larger window is refused: the window is allocated before a byte is inflated. Default: zstd's
   * own bound, 27.
   */
  maxWindowLog?: number;
}

/** Why bytes are not decompressed: they pass a bound, or they are not (wholly) what they should be. */
export class InflateError extends Error {
  override readonly name = "InflateError";
  constructor(
    readonly kind: "too-large" | "corrupt",
    detail: string,
  ) {
    super(detail);
  }
}

/** Windows of what strangers send: 8 MiB (zstd --ultra and --long have larger ones). */
export const STRANGERS_WINDOW_LOG = 23;

/** Up to here it is cheaper on the event loop than by way of the thread pool. */
const MAX_SYNC_BYTES = 64 << 10;
const TOO_LARGE = new Set(["ERR_BUFFER_TOO_LARGE", "ZSTD_error_frameParameter_windowTooLarge"]);

interface Gunzipped {
  buffer: Buffer;
  engine: Gunzip;
}

/** Throws InflateError. */
export function inflate(bytes: Buffer, compression: Compression, bounds: InflateBounds): Buffer {
  return translated(compression, () => (compression === "gzip" ? gunzipped(bytes, bounds) : unzstd(bytes, bounds)));
}

/** As `inflate`; what is large goes through the thread pool. Rejects with InflateError. */
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

/** zlib reads all members and refuses garbage, but for zeros: those it takes for padding and leaves. */
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

/** What the frames hold, together within the bound. */
class FrameOutput {
  private readonly parts: Buffer[] = [];
  private size = 0;

  constructor(private readonly bounds: InflateBounds) {}

  /** Node wants a bound of at least 1; `add` looks at the sum again. */
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
