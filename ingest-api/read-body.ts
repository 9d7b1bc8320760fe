// SPDX-License-Identifier: Apache-2.0
/** Reads request bodies within the bounds of the write API, for `Ingest.handle`. */
import type { IncomingMessage } from "node:http";
import { DirectRequest } from "./direct-request";
import type { Place } from "./in-flight";

/**
 * The outcome of reading a body. `gone`: the client closed the connection before the end, so no client waits for an
 * answer.
 */
type BodyRead = { kind: "body"; bytes: Buffer } | { kind: "too-large" } | { kind: "overloaded" } | { kind: "gone" };

/** An unread body is discarded up to this many bytes; a client that sends more loses its connection. */
const MAX_DISCARD_BYTES = 64 << 20;

/**
 * Reads at most `maxBytes` of the body as sent; each byte is counted on `place` before it is kept. A request that is
 * sent without a body may have ended before (`optimizeEmptyRequests` of node:http).
 */
export function readBody(request: IncomingMessage, maxBytes: number, place: Place): Promise<BodyRead> {
  if (request.readableEnded) return Promise.resolve({ kind: "body", bytes: Buffer.alloc(0) });
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes) return Promise.resolve({ kind: "too-large" });
  if (!place.grow(announced)) return Promise.resolve({ kind: "overloaded" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let counted = announced;
    const isDirect = request instanceof DirectRequest && request.give((part) => (part ? onData(part) : onEnd()));
    const end = (read: BodyRead) => {
      if (isDirect) request.give(ignore);
      request.off("data", onData).off("end", onEnd).off("close", onGone).off("error", onGone);
      // Without a handler a late error of the socket would be an uncaught one.
      request.on("error", ignore);
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      received += chunk.length;
      if (received > maxBytes) return end({ kind: "too-large" });
      if (received > counted) {
        if (!place.grow(received - counted)) return end({ kind: "overloaded" });
        counted = received;
      }
      chunks.push(chunk);
    };
    const onEnd = () =>
      end({ kind: "body", bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, received) });
    const onGone = () => end({ kind: "gone" });
    if (!isDirect) request.on("data", onData).on("end", onEnd);
    request.on("close", onGone).on("error", onGone);
    if (request.destroyed) end({ kind: "gone" });
  });
}

/**
 * Discards the rest of an unread body, so that the client can finish sending and read the answer. Node reads an unread
 * stream itself after the answer, without a bound: that is enough for a body that nobody has begun to read, and whose
 * announced length is within the bound.
 */
export function discardBody(request: IncomingMessage): void {
  if (request.complete || request.readableEnded || request.destroyed) return;
  let discarded = 0;
  const discard = (part: Buffer) => {
    discarded += part.length;
    if (discarded > MAX_DISCARD_BYTES) request.destroy();
  };
  if (request instanceof DirectRequest && request.give((part) => part && discard(part))) return;
  const announced = Number(request.headers["content-length"] ?? Number.NaN);
  if (announced <= MAX_DISCARD_BYTES && request.readableFlowing === null) return;
  request.on("error", ignore);
  request.on("data", discard);
}

const ignore = () => {};
