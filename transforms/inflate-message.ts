import { type Compression, InflateError, inflate, STRANGERS_WINDOW_LOG } from "../io/compression/inflate";
import { startsAsZstd } from "../io/compression/zstd-frames";

/** Of one message, decoded: as large as the largest message Pub/Sub takes (10 MB). */
export const MAX_MESSAGE_BYTES = 10 << 20;

export type InflatedMessage =
  | { kind: "bytes"; bytes: Buffer }
  | { kind: "unreadable"; reason: "too-large" | "not-json"; detail: string; contentType: string };

/**
 * Undoes gzip and zstd, which are known by their first bytes: attributes and headers do not reach the stream, and nothing else that is read here
 * begins like them.
 */
export function inflateMessage(payload: Buffer): InflatedMessage {
  const encoding = encodingOf(payload);
  if (encoding === undefined) return { kind: "bytes", bytes: payload };
  try {
    const bounds = { maxBytes: MAX_MESSAGE_BYTES, maxWindowLog: STRANGERS_WINDOW_LOG };
    return { kind: "bytes", bytes: inflate(payload, encoding, bounds) };
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    const contentType = `application/${encoding}`;
    if (error.kind === "too-large") {
      const detail = `the message holds more than ${MAX_MESSAGE_BYTES} bytes`;
      return { kind: "unreadable", reason: "too-large", detail, contentType };
    }
    return {
      kind: "unreadable",
      reason: "not-json",
      detail: `the message is no ${encoding}: ${error.message}`,
      contentType,
    };
  }
}

function encodingOf(payload: Buffer): Compression | undefined {
  if (payload[0] === 0x1f && payload[1] === 0x8b) return "gzip";
  return startsAsZstd(payload) ? "zstd" : undefined;
}
