import { constants, gunzipSync, zstdDecompressSync } from "node:zlib";

/** Of one message, decoded: as large as the largest message Pub/Sub takes (10 MB). */
export const MAX_MESSAGE_BYTES = 10 << 20;
/** Windows beyond 8 MiB are refused: the window is allocated before a byte is inflated. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };
const OUTPUT_TOO_LARGE = new Set(["ERR_BUFFER_TOO_LARGE", "ZSTD_error_frameParameter_windowTooLarge"]);

export type InflatedMessage =
  | { kind: "bytes"; bytes: Buffer }
  | { kind: "unreadable"; reason: "too-large" | "not-json"; detail: string; contentType: string };

/**
 * Undoes gzip and zstd, which are known by their first bytes: attributes and headers do not reach the stream, and nothing else that is read here
 * begins like them. zlib stops by itself at the bound.
 */
export function inflateMessage(payload: Buffer): InflatedMessage {
  const encoding = encodingOf(payload);
  if (encoding === undefined) return { kind: "bytes", bytes: payload };
  const bound = { maxOutputLength: MAX_MESSAGE_BYTES };
  try {
    const bytes =
      encoding === "gzip" ? gunzipSync(payload, bound) : zstdDecompressSync(payload, { ...bound, params: ZSTD_PARAMS });
    return { kind: "bytes", bytes };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const contentType = `application/${encoding}`;
    if (OUTPUT_TOO_LARGE.has(code)) {
      const detail = `the message holds more than ${MAX_MESSAGE_BYTES} bytes`;
      return { kind: "unreadable", reason: "too-large", detail, contentType };
    }
    return { kind: "unreadable", reason: "not-json", detail: `the message is no ${encoding}: ${message}`, contentType };
  }
}

function encodingOf(payload: Buffer): "gzip" | "zstd" | undefined {
  if (payload[0] === 0x1f && payload[1] === 0x8b) return "gzip";
  return payload.length >= 4 && payload.readUInt32LE(0) === 0xfd2fb528 ? "zstd" : undefined;
}
