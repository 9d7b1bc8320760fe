// SPDX-License-Identifier: Apache-2.0
/**
 * Reads an event stream as an EventSource does (HTML standard, 9.2.6), without its names of events. The live values of
 * the dashboard (live.ts) arrive through it.
 */

interface EventMessage {
  id?: string;
  /** Milliseconds after which a stream that was cut is opened again. */
  retry?: number;
  data?: string;
}

/** A message that is longer is no message of the service. */
const MAX_CHARACTERS = 4 << 20;

/** Ends with the stream; a message that the stream cuts is left out. Throws RangeError beyond MAX_CHARACTERS. */
export async function* eventMessages(stream: ReadableStream<Uint8Array>): AsyncGenerator<EventMessage> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        yield messageOf(text.slice(0, end));
        text = text.slice(end + 2);
      }
      if (text.length > MAX_CHARACTERS) throw new RangeError("a message of the event stream has no end");
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function messageOf(text: string): EventMessage {
  const message: EventMessage = {};
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^(id|retry|data): ?(.*)$/.exec(line) ?? [];
    if (name === "id") message.id = value;
    else if (name === "retry" && /^\d{1,9}$/.test(value)) message.retry = Number(value);
    else if (name === "data") message.data = message.data === undefined ? value : `${message.data}\n${value}`;
  }
  return message;
}
