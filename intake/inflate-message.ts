// SPDX-License-Identifier: Apache-2.0
import { type Compression, InflateError, inflate, STRANGERS_WINDOW_LOG } from "../io/formats/compression/inflate";
import { startsAsZstd } from "../io/formats/compression/zstd-frames";
import { problem } from "./take-json";
import type { IntakeProblem } from "./taken";

type InflatedMessage = { kind: "bytes"; bytes: Buffer } | IntakeProblem;

/**
 * Undoes gzip and zstd, which are recognised by their first bytes. Attributes and headers do not reach the stream, and
 * no other form of a message begins with these bytes. Only messages of direct producers (take-message.ts) need it; HTTP
 * states the encoding in a header.
 */
export function inflateMessage(payload: Buffer, maxBytes: number): InflatedMessage {
  const encoding = encodingOf(payload);
  if (encoding === undefined) return { kind: "bytes", bytes: payload };
  try {
    return { kind: "bytes", bytes: inflate(payload, encoding, { maxBytes, maxWindowLog: STRANGERS_WINDOW_LOG }) };
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    const contentType = `application/${encoding}`;
    return error.kind === "too-large"
      ? problem("too-large", `the message holds more than ${maxBytes} bytes`, payload, contentType)
      : problem("not-json", `the message is no ${encoding}: ${error.message}`, payload, contentType);
  }
}

function encodingOf(payload: Buffer): Compression | undefined {
  if (payload[0] === 0x1f && payload[1] === 0x8b) return "gzip";
  return startsAsZstd(payload) ? "zstd" : undefined;
}
