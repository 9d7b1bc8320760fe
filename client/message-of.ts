// SPDX-License-Identifier: Apache-2.0
const MAX_MESSAGE_CHARS = 500;

/**
 * Returns a thrown value as text. Never throws, even where the value's own toString does. The client's errors quote
 * with it what an application or the platform threw.
 */
export function messageOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error).slice(0, MAX_MESSAGE_CHARS);
    const text = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : `${error.message}`;
    return text.slice(0, MAX_MESSAGE_CHARS);
  } catch {
    return "something without words was thrown";
  }
}
