// SPDX-License-Identifier: Apache-2.0
import { crc32 } from "node:zlib";
import type { SharedAnswers } from "../io/ports";
import { type Answer, aged } from "./answer";
import type { AskedRequest, Endpoint } from "./endpoint";

type Content = Extract<Answer, { kind: "content" }>;

class Entry {
  answer!: Promise<Answer>;
  /** The answer once it is read, as it is sent to those who ask later. */
  kept: KeptAnswer | undefined;
  /** The URLs by which the entry is found at once. */
  readonly urls: string[] = [];
  /** Whether another instance has read the answer. */
  isFound = false;
  /** Whether the question was asked a moment before, or by another while the answer was being read. */
  isRepeated = false;
  /** The bytes of key and body; undefined while the answer is being read. */
  sizeBytes: number | undefined;

  /** `atMs`: when the reading of the answer began, on a clock that only goes forward. */
  constructor(public atMs: number) {}
}

/** An answer that was read a moment ago, and the endpoint whose answer it is. */
export interface KeptAnswer {
  readonly endpoint: Endpoint;
  readonly answer: Answer;
}

interface AnswerCacheOptions {
  /** The bytes of all keys and bodies together. */
  maxBytes: number;
  /**
   * How long after the beginning of its reading an answer is shared: at most a second, the shortest max-age of any
   * answer.
   */
  keptMs: number;
  /** The answers that other instances of the service have read; absent: none. */
  shared?: SharedAnswers;
  /** Returns milliseconds of a clock that only goes forward. */
  now?: () => number;
}

/** The bytes of an entry's objects. Strings of ASCII take a byte a character beside them, others two. */
const ENTRY_BYTES = 500;
const MAX_KEY_CHARACTERS = 2_000;
/** The spellings of one question that are found at once; others are found by its key. */
const MAX_URLS = 2;

/** The most questions of a generation. */
const MOST_QUESTIONS = 4_096;

/**
 * The questions of the last moment and of the one before, as numbers: of the keys of two thousand questions a second a
 * collection of garbage would copy most. Two questions may have the same number, so that now and then an answer is kept
 * that nobody asks for again.
 */
class QuestionsLately {
  #young = new Set<number>();
  #old = new Set<number>();
  #beganMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly momentMs: number) {}

  /** Notes a question. Returns whether it was noted within the last moment, or a little longer ago. */
  again(key: string, nowMs: number): boolean {
    const lastsMs = nowMs - this.#beganMs;
    if (lastsMs >= this.momentMs || this.#young.size >= MOST_QUESTIONS) {
      this.#old = lastsMs < 2 * this.momentMs ? this.#young : new Set();
      this.#young = new Set();
      this.#beganMs = nowMs;
    }
    const number = crc32(key) | 0;
    const isAgain = this.#young.has(number) || this.#old.has(number);
    this.#young.add(number);
    return isAgain;
  }
}

/**
 * Shares the answers of reads among all clients that ask the same within a moment, so that a video that everybody
 * watches costs a few reads a second, whether the video is known or not. A question that is asked while its answer is
 * being read waits for that answer. An answer is kept where its question is asked for the second time within a moment:
 * most questions are asked once, and what is kept of thousands of answers a second makes collections of garbage long. A
 * kept answer states when it was read (asOf) and what it holds (completeThrough).
 * It is sent with an Age, rounded up, so that no cache behind it keeps the answer longer than its Cache-Control allows,
 * counted from the reading. A revision, an audit or a newer completeThrough shows when `keptMs` is over. Problems and
 * failures are not kept. Where instances share answers, the age of an answer that another instance has read counts from
 * that reading. `serve` makes one, and the read API's endpoints for counters answer through it.
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #byUrl = new Map<string, Entry>();
  readonly #options: Required<Omit<AnswerCacheOptions, "shared">> & Pick<AnswerCacheOptions, "shared">;
  readonly #lately: QuestionsLately;
  #bytes = 0;

  constructor(options: AnswerCacheOptions) {
    this.#lately = new QuestionsLately(options.keptMs);
    this.#options = { now: () => performance.now(), ...options };
  }

  /** Returns the endpoint with shared answers. */
  of(endpoint: Endpoint): Endpoint {
    const answer = async (request: AskedRequest): Promise<Answer> => {
      const key = keyOf(endpoint, request);
      if (key === undefined) return endpoint.answer(request);
      const answered = await this.ask(key, () => endpoint.answer(request));
      if (request.wholeUrl !== undefined) this.#name(key, request.wholeUrl, endpoint);
      return answered;
    };
    return { ...endpoint, answer };
  }

  /**
   * Returns the answer that `of` would give to a GET of this URL, where it is kept; undefined: ask. Most requests for
   * what everybody watches end here, before anything of them is parsed.
   */
  keptFor(url: string): KeptAnswer | undefined {
    const entry = this.#byUrl.get(url);
    if (entry?.kept === undefined) return undefined;
    return this.#options.now() - entry.atMs < this.#options.keptMs ? entry.kept : undefined;
  }

  /** Notes the URL of a question whose answer is kept. */
  #name(key: string, url: string, endpoint: Endpoint): void {
    const entry = this.#entries.get(key);
    if (entry?.sizeBytes === undefined || entry.urls.length >= MAX_URLS || this.#byUrl.get(url) === entry) return;
    entry.urls.push(url);
    this.#byUrl.set(url, entry);
    const bytes = 2 * url.length;
    entry.sizeBytes += bytes;
    this.#bytes += bytes;
    if (entry.kept !== undefined) return;
    // An answer is kept for less than a second, so that its age is one from the beginning.
    void entry.answer.then((answer) => {
      entry.kept = { endpoint, answer: aged(answer, 0) };
    });
  }

  /** The bytes of all kept answers. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  async ask(key: string, read: () => Promise<Answer>): Promise<Answer> {
    const { now, keptMs } = this.#options;
    const known = this.#entries.get(key);
    if (known !== undefined && now() - known.atMs < keptMs) {
      known.isRepeated = true;
      return aged(await known.answer, now() - known.atMs);
    }
    if (known !== undefined) this.#forget(key, known);
    const entry = new Entry(now());
    entry.isRepeated = this.#lately.again(key, entry.atMs);
    entry.answer = this.#options.shared === undefined ? read() : this.#findOrRead(key, entry, read);
    this.#entries.set(key, entry);
    try {
      const answer = await entry.answer;
      if (answer.kind === "content" && entry.isRepeated) this.#keep(key, entry, answer);
      else this.#forget(key, entry);
      return entry.isFound ? aged(answer, now() - entry.atMs) : answer;
    } catch (error) {
      this.#forget(key, entry);
      throw error;
    }
  }

  async #findOrRead(key: string, entry: Entry, read: () => Promise<Answer>): Promise<Answer> {
    const { now, keptMs, shared } = this.#options;
    const { text, ageMs, since } = await shared!.find(key);
    const foundMs = now();
    const found = text === undefined || ageMs >= keptMs ? undefined : contentOf(text);
    entry.isFound = found !== undefined;
    entry.atMs = found === undefined ? foundMs : foundMs - ageMs;
    if (found !== undefined) return found;
    const answer = await read();
    const leftMs = keptMs - (now() - foundMs);
    if (answer.kind === "content" && since !== undefined && leftMs > 0)
      shared!.keep(key, JSON.stringify(answer), since, leftMs);
    return answer;
  }

  #keep(key: string, entry: Entry, { body }: Content): void {
    if (this.#entries.get(key) !== entry) return;
    entry.sizeBytes = 2 * (key.length + body.length) + ENTRY_BYTES;
    this.#bytes += entry.sizeBytes;
    const { now, keptMs, maxBytes } = this.#options;
    // Entries are in the order in which they were asked, the oldest first.
    for (const [oldKey, old] of this.#entries) {
      if (this.#bytes <= maxBytes && now() - old.atMs < keptMs) return;
      if (old.sizeBytes !== undefined) this.#forget(oldKey, old);
    }
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    for (const url of entry.urls) if (this.#byUrl.get(url) === entry) this.#byUrl.delete(url);
    this.#bytes -= entry.sizeBytes ?? 0;
  }
}

/** Returns undefined for a text that no instance has kept. */
function contentOf(text: string): Content | undefined {
  try {
    const { kind, contentType, body, cacheControl, etag, headers = {} } = JSON.parse(text) as Partial<Content>;
    const known = [contentType, body, cacheControl, ...Object.values(headers)];
    if (kind !== "content" || !known.every((each) => typeof each === "string")) return undefined;
    return {
      kind,
      contentType: contentType!,
      body: body!,
      cacheControl: cacheControl!,
      ...(etag && { etag }),
      headers,
    };
  } catch {
    return undefined;
  }
}

/** The texts of queries that are the same objects again and again (hot-reads.ts). */
const queryTexts = new WeakMap<object, string>();

/** Returns undefined for a question so long that its answer is not kept. */
function keyOf({ path }: Endpoint, { params, query, wholeUrl }: AskedRequest): string | undefined {
  const key = `${JSON.stringify([path, params[0]])}${textOf(query, wholeUrl !== undefined)}`;
  return key.length > MAX_KEY_CHARACTERS ? undefined : key;
}

/** The same text for the same parameters, in whatever order they are sent. */
function textOf(query: object, isKept: boolean): string {
  const known = isKept ? queryTexts.get(query) : undefined;
  if (known !== undefined) return known;
  const asked = Object.entries(query);
  if (asked.length > 1) asked.sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify(asked);
  if (isKept) queryTexts.set(query, text);
  return text;
}
