// SPDX-License-Identifier: Apache-2.0
/** One exchange of a delivery with the service: whether a request is possible at all, and its answer as text. */
import { messageOf } from "./message-of";

/** The longest answer. A service's answers are far shorter, and a longer one would exhaust the reader's memory. */
const MAX_ANSWER_BYTES = 64 << 20;

/** Messages of Node's fetch for requests that it never sends; a browser gives no reason. */
const NEVER_MADE = new Set(["bad port", "unknown scheme", "URL scheme must be a HTTP(S) scheme"]);

/** Returns why the platform would never send a request to this URL with these headers; undefined where it would. */
export function impossible(url: URL, headers: Readonly<Record<string, string>>): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return `events are sent to a URL that begins with http:// or https://, not with ${url.protocol}`;
  if (typeof Request === "undefined") return undefined;
  try {
    // The constructor refuses credentials within the URL, and headers that no request can carry.
    new Request(url, { method: "POST", headers });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns whether fetch failed because it never sends such a request. */
export function isNeverMade(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && NEVER_MADE.has(error.cause.message);
}

/** Resolves with the whole answer as text. Rejects for an answer that is longer than any of a service. */
export async function boundedText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return response.text();
  const decoder = new TextDecoder();
  let [text, sizeBytes] = ["", 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    sizeBytes += value.byteLength;
    if (sizeBytes > MAX_ANSWER_BYTES) {
      reader.cancel().catch(() => {});
      throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Resolves after this time, or as soon as the signal aborts. */
export function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    signal?.addEventListener("abort", end);
    if (signal?.aborted === true) end();
  });
}
