// SPDX-License-Identifier: Apache-2.0
/**
 * One attempt to deliver a message: a POST without redirects, to an address that is allowed, within a deadline. The
 * lane of a webhook (cli/programs/alerts/webhook-lane.ts) makes its attempts with it.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { AllowedAddresses } from "./addresses";
import { signatureHeaders } from "./signature";

/** The part of an answer that the list of deliveries shows. */
const MAX_ANSWER_BYTES = 512;

interface Receiver {
  url: string;
  secret: Uint8Array;
  timeoutMs: number;
}

export interface Message {
  id: string;
  /** JSON. */
  body: string;
}

/** `retryAfterMs`: as the receiver asked for. */
export type SendOutcome = { kind: "taken" | "gone" | "failed"; detail: string; retryAfterMs?: number };

/** Never rejects. 2xx: taken; 410: gone for good (Standard Webhooks); everything else is worth another attempt. */
export function sendMessage(
  { url, secret, timeoutMs }: Receiver,
  { id, body }: Message,
  { addresses, nowMs, signal }: { addresses: AllowedAddresses; nowMs: number; signal: AbortSignal },
): Promise<SendOutcome> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve({ kind: "failed", detail: error.message });
    try {
      const target = new URL(url);
      const isEncrypted = target.protocol === "https:";
      const options: RequestOptions = {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(body),
          "User-Agent": "Viewmill",
          ...signatureHeaders(secret, id, Math.floor(nowMs / 1000), body),
        },
        lookup: addresses.lookup(isEncrypted),
        // A connection of its own: what is checked is what is connected to.
        agent: false,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      };
      checkTarget(target, addresses, isEncrypted);
      const request = (isEncrypted ? httpsRequest : httpRequest)(target, options);
      let hasAnswer = false;
      request.on("error", (error) => {
        // From its status on, an answer tells by itself.
        if (!hasAnswer) failed(error.name === "AbortError" ? new Error(`no answer within ${timeoutMs} ms`) : error);
      });
      request.once("response", (response) => {
        hasAnswer = true;
        answered(response, nowMs).then(resolve, failed);
      });
      request.end(body);
    } catch (error) {
      failed(error as Error);
    }
  });
}

/** An address in the URL itself is never looked up. Throws AddressRefusedError. */
function checkTarget({ hostname }: URL, addresses: AllowedAddresses, isEncrypted: boolean): void {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) addresses.check(host, isEncrypted);
}

async function answered(response: IncomingMessage, nowMs: number): Promise<SendOutcome> {
  const { statusCode = 0, headers } = response;
  const detail = `${statusCode} ${await beginning(response)}`.trim();
  if (statusCode >= 200 && statusCode < 300) return { kind: "taken", detail };
  if (statusCode === 410) return { kind: "gone", detail };
  const retryAfterMs = delayOf(headers["retry-after"], nowMs);
  return { kind: "failed", detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/**
 * The rest of an answer is not read: a receiver may send without end. The status has said what became of the message,
 * so a body that is cut off, or does not end in time, changes nothing.
 */
async function beginning(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // What has come is shown.
  }
  response.destroy();
  const text = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString("utf8");
  return text.replace(/[^\x20-\x7e]+/g, " ").trim();
}

function delayOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : Math.max(0, timeMs - nowMs);
}
