// SPDX-License-Identifier: Apache-2.0
import type { Answer } from "./answer";
import type { AskedRequest, Endpoint } from "./endpoint";

type Content = Extract<Answer, { kind: "content" }>;

interface Entry {
  answer: Promise<Answer>;
  /** When the reading of the answer began, on a clock that only goes forward. */
  atMs: number;
  /** Of key and body; undefined while the answer is being read. */
  sizeBytes: number | undefined;
}

export interface AnswerCacheOptions {
  /** Of keys and bodies together. */
  maxBytes: number;
  /** How long after its reading began an answer is given to others. At most a second, the shortest max-age there is. */
  keptMs: number;
  /** Milliseconds, of a clock that only goes forward. */
  now?: () => number;
}

/** Strings of ASCII take a byte a character, others two; an entry has a few objects beside them. */
const ENTRY_BYTES = 500;
const MAX_KEY_CHARACTERS = 2_000;

/**
 * Answers of reads, for all who ask the same within a moment: a video that everybody watches costs a few reads a
 * second, whether it is known or not. Who asks while an answer is being read waits for that one. A kept answer says
 * when it was read (asOf) and what it holds (completeThrough), and is given away with an Age, rounded up, so that no
 * cache behind it keeps it longer than its Cache-Control says, counted from the reading. A revision, an audit or a
 * newer completeThrough shows when `keptMs` is over. Problems and failures are not kept.
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #options: Required<AnswerCacheOptions>;
  #bytes = 0;

  constructor(options: AnswerCacheOptions) {
    this.#options = { now: () => performance.now(), ...options };
  }

  /** The endpoint, its answers shared. */
  of(endpoint: Endpoint): Endpoint {
    const answer = (request: AskedRequest): Promise<Answer> => {
      const key = keyOf(endpoint, request);
      return key === undefined ? endpoint.answer(request) : this.ask(key, () => endpoint.answer(request));
    };
    return { ...endpoint, answer };
  }

  /** Bytes that are kept. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  async ask(key: string, read: () => Promise<Answer>): Promise<Answer> {
    const { now, keptMs } = this.#options;
    const known = this.#entries.get(key);
    if (known !== undefined && now() - known.atMs < keptMs) return aged(await known.answer, now() - known.atMs);
    if (known !== undefined) this.#forget(key, known);
    const atMs = now();
    const entry: Entry = { answer: read(), atMs, sizeBytes: undefined };
    this.#entries.set(key, entry);
    try {
      const answer = await entry.answer;
      if (answer.kind === "content") this.#keep(key, entry, answer);
      else this.#forget(key, entry);
      return answer;
    } catch (error) {
      this.#forget(key, entry);
      throw error;
    }
  }

  #keep(key: string, entry: Entry, { body }: Content): void {
    if (this.#entries.get(key) !== entry) return;
    entry.sizeBytes = 2 * (key.length + body.length) + ENTRY_BYTES;
    this.#bytes += entry.sizeBytes;
    const { now, keptMs, maxBytes } = this.#options;
    // In the order in which they were asked: the oldest first.
    for (const [oldKey, old] of this.#entries) {
      if (this.#bytes <= maxBytes && now() - old.atMs < keptMs) return;
      if (old.sizeBytes !== undefined) this.#forget(oldKey, old);
    }
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.sizeBytes ?? 0;
  }
}

/** undefined: an answer to as long a question is not kept. */
function keyOf({ path }: Endpoint, { params, query }: AskedRequest): string | undefined {
  const asked = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([path, params[0], asked]);
  return key.length > MAX_KEY_CHARACTERS ? undefined : key;
}

function aged(answer: Answer, ageMs: number): Answer {
  if (answer.kind !== "content") return answer;
  return { ...answer, headers: { ...answer.headers, Age: String(Math.max(1, Math.ceil(ageMs / 1000))) } };
}
