// SPDX-License-Identifier: Apache-2.0
/**
 * Dead letters in a bucket. Letters that arrive together are one object, in the folder of their minute of receipt. Any
 * number of processes write and mark at the same time; none changes an object of another. The services and the
 * streaming job of a cluster write them, and operators list and replay them.
 */

import { randomBytes } from "node:crypto";
import { minuteFolder } from "../../domain/archive-name";
import type { RejectionReason } from "../../domain/rejection";
import { MINUTE_MS } from "../../domain/rules/time";
import { BatchQueue } from "../flow/batch-queue";
import { AvroError } from "../formats/avro/binary";
import { decodeDeadLetters, encodeDeadLetters } from "../formats/avro/dead-letter-object";
import { type DeadLetter, type DeadLetters, type LetterQuery, LISTED_BYTES, type NewDeadLetter } from "../ports";
import {
  type LetterObject,
  letterId,
  letterObjectName,
  MARKS,
  markName,
  marksOf,
  namesOf,
  parseLetterId,
  parseLetterObjectName,
  parseMarkName,
  withinYears,
} from "./codec";
import type { GcsOptions } from "./config";
import { GcsObjects, type ListQuery } from "./objects";

export interface GcsDeadLettersOptions extends GcsOptions {
  /**
   * Called with each letter once the letter is stored, for example to put it on a topic; resolves when that is durable.
   * When it rejects, `append` rejects as well, and a letter that is appended again is stored twice.
   */
  publish?: (letter: NewDeadLetter) => Promise<void>;
  /** The bytes that wait in memory for the bucket; beyond them `append` rejects with `LogFullError`. Default 64 MiB. */
  maxQueueBytes?: number;
}

const CONTENT_TYPE = "application/avro";
/** The folder of empty objects that say how many letters an expired object had. */
const COUNTS = "counts/";
const EMPTY = new Uint8Array();
const NO_TYPE = "application/octet-stream";
const MAX_GROUP_CALLS = 1000;
const MAX_GROUP_BYTES = 8 << 20;
/** The number of objects that `list` reads ahead. */
const OBJECTS_AHEAD = 8;
const PUBLISHED_AT_ONCE = 64;

type Outcome = { stored: true } | { stored: false; error: unknown };

export class GcsDeadLetters implements DeadLetters {
  readonly #objects: GcsObjects;
  readonly #commits: BatchQueue<readonly NewDeadLetter[], Outcome>;
  readonly #publish: GcsDeadLettersOptions["publish"];
  readonly #writer = randomBytes(6).toString("hex");
  #sequence = 0;

  /** Throws a RangeError for invalid options; connects at the first call. */
  constructor(options: GcsDeadLettersOptions) {
    this.#objects = new GcsObjects(options);
    this.#publish = options.publish;
    this.#commits = new BatchQueue<readonly NewDeadLetter[], Outcome>({
      commit: (calls) => this.#commit(calls),
      sizeBytes: (letters) => letters.reduce((sum, letter) => sum + letterBytes(letter), 0),
      maxGroupItems: MAX_GROUP_CALLS,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueueBytes: options.maxQueueBytes ?? 64 << 20,
    });
  }

  /**
   * Rejects with `StoreUnavailableError`, with some of the letters stored or none; also with the error of `publish`.
   */
  async append(letters: readonly NewDeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    // Checked here, because a letter without a folder would fail the others of its group.
    for (const { receivedAtMs } of letters) {
      if (!Number.isSafeInteger(receivedAtMs)) throw new RangeError("a dead letter's receivedAtMs is not an integer");
      minuteFolder(minuteOf(receivedAtMs));
    }
    const outcome = await this.#commits.add(letters);
    if (!outcome.stored) throw outcome.error;
    await this.#publishAll(letters);
  }

  /**
   * Lists by minute of receipt, writer and order of arrival. A letter that arrives later may be listed before one
   * already returned.
   */
  async list(query: LetterQuery): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    let bytes = 0;
    if (query.limit <= 0) return found;
    for await (const letter of this.#matching(query)) {
      found.push(letter);
      bytes += letter.payload.length;
      if (found.length >= query.limit || bytes >= LISTED_BYTES) return found;
    }
    return found;
  }

  async waiting(reason: RejectionReason, most: number): Promise<{ count: number; newest?: DeadLetter }> {
    let count = 0;
    let newest: DeadLetter | undefined;
    for await (const letter of this.#matching({ reason, replayed: false })) {
      if (count >= most) break;
      newest = letter;
      count++;
    }
    return { count, ...(newest && { newest }) };
  }

  async *#matching(query: Omit<LetterQuery, "limit">): AsyncGenerator<DeadLetter> {
    const after = query.afterId === undefined ? undefined : parseLetterId(query.afterId);
    const from = after === undefined ? "" : letterObjectName(after);
    for await (const { objects } of this.#objects.list({ below: "date=", from })) {
      const known = objects.flatMap(({ name }) => parseLetterObjectName(name) ?? []);
      for (let at = 0; at < known.length; at += OBJECTS_AHEAD) {
        for (const letter of await this.#letters(known.slice(at, at + OBJECTS_AHEAD))) {
          if (after !== undefined && letter.object === from && letter.index <= after.index) continue;
          if (query.reason !== undefined && letter.reason !== query.reason) continue;
          if (query.replayed !== undefined && query.replayed !== (letter.replayedAtMs !== undefined)) continue;
          const { object: _, index: __, ...listed } = letter;
          yield listed;
        }
      }
    }
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const place = parseLetterId(id);
    if (place === undefined) return undefined;
    const name = letterObjectName(place);
    const content = await this.#objects.read(name);
    if (content === undefined) return undefined;
    const letter = decoded(name, content)[place.index];
    if (letter === undefined) return undefined;
    const marks = await this.#marks({ below: marksOf(name) });
    const replayedAtMs = marks.get(`${name}/${place.index}`);
    return { ...letter, id, ...(replayedAtMs === undefined ? {} : { replayedAtMs }) };
  }

  /** Marks letters. Of several marks of a letter the latest is valid. Ids of other stores are skipped. */
  async markReplayed(ids: readonly string[], atMs: number): Promise<void> {
    if (!Number.isSafeInteger(atMs)) throw new RangeError(`${atMs} is not a time`);
    const places = ids.flatMap((id) => parseLetterId(id) ?? []);
    await Promise.all(places.map((place) => this.#objects.put(markName(place, atMs), EMPTY, NO_TYPE)));
  }

  /** Counts by the names of the objects: one request for a thousand of them. */
  async rejectedByMinute(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const rejected = new Map<number, number>();
    const range = withinYears(fromMinute, toMinute);
    if (range.from === range.to) return rejected;
    const counted = new Set<string>();
    for (const query of [namesOf(range), countsOf(namesOf(range))]) {
      for await (const { objects } of this.#objects.list(query)) {
        for (const { name } of objects) {
          const letterObject = name.startsWith(COUNTS) ? name.slice(COUNTS.length) : name;
          const object = parseLetterObjectName(letterObject);
          // A process that stopped while letters expired left both.
          if (object === undefined || counted.has(letterObject)) continue;
          counted.add(letterObject);
          rejected.set(object.minute, (rejected.get(object.minute) ?? 0) + object.letters);
        }
      }
    }
    return rejected;
  }

  /**
   * Deletes objects of letters and their marks. An empty object whose name has the number of letters stays in place of
   * each, and is written before the letters go.
   */
  async expire({ lettersMs, countsMs }: { lettersMs: number; countsMs: number }): Promise<number> {
    let expired = 0;
    const letters = withinYears(Number.NEGATIVE_INFINITY, minuteOf(lettersMs));
    for await (const { objects } of this.#objects.list(namesOf(letters))) {
      for (const { name } of objects) {
        const object = parseLetterObjectName(name);
        if (object === undefined) continue;
        if (object.minute * MINUTE_MS >= countsMs) await this.#objects.put(COUNTS + name, EMPTY, NO_TYPE);
        for await (const page of this.#objects.list({ below: marksOf(name) }))
          await Promise.all(page.objects.map((mark) => this.#objects.remove(mark.name)));
        await this.#objects.remove(name);
        expired += object.letters;
      }
    }
    const counts = namesOf(withinYears(Number.NEGATIVE_INFINITY, minuteOf(countsMs)));
    for await (const { objects } of this.#objects.list(countsOf(counts)))
      await Promise.all(objects.map(({ name }) => this.#objects.remove(name)));
    return expired;
  }

  /** Finishes the appends made so far. */
  async close(): Promise<void> {
    await this.#commits.idle();
    this.#objects.close();
  }

  /** Writes one object a minute. A call is stored when all objects with its letters are. */
  async #commit(calls: readonly (readonly NewDeadLetter[])[]): Promise<Outcome[]> {
    const byMinute = new Map<number, { letters: NewDeadLetter[]; calls: Set<number> }>();
    for (const [call, letters] of calls.entries()) {
      for (const letter of letters) {
        const minute = minuteOf(letter.receivedAtMs);
        const group = byMinute.get(minute) ?? { letters: [], calls: new Set() };
        byMinute.set(minute, group);
        group.letters.push(letter);
        group.calls.add(call);
      }
    }
    const outcomes: Outcome[] = calls.map(() => ({ stored: true }));
    const writes = [...byMinute].map(async ([minute, group]) => {
      try {
        await this.#write(minute, group.letters);
      } catch (error) {
        for (const call of group.calls) outcomes[call] = { stored: false, error };
      }
    });
    await Promise.all(writes);
    return outcomes;
  }

  async #write(minute: number, letters: readonly NewDeadLetter[]): Promise<void> {
    this.#sequence++;
    const name = letterObjectName({ minute, writer: this.#writer, sequence: this.#sequence, letters: letters.length });
    const created = await this.#objects.create(name, encodeDeadLetters(name, letters), CONTENT_TYPE);
    if (!created) throw new Error(`two writers of dead letters have the name ${this.#writer}`);
  }

  async #publishAll(letters: readonly NewDeadLetter[]): Promise<void> {
    const publish = this.#publish;
    if (publish === undefined) return;
    for (let at = 0; at < letters.length; at += PUBLISHED_AT_ONCE) {
      await Promise.all(letters.slice(at, at + PUBLISHED_AT_ONCE).map((letter) => publish(letter)));
    }
  }

  /** Returns the letters of adjacent objects of the list, with their marks. */
  async #letters(objects: readonly LetterObject[]): Promise<(DeadLetter & { object: string; index: number })[]> {
    const names = objects.map(letterObjectName);
    const [contents, marks] = await Promise.all([
      Promise.all(names.map((name) => this.#objects.read(name))),
      this.#marks({ below: MARKS, from: marksOf(names[0]!), to: `${marksOf(names.at(-1)!)}~` }),
    ]);
    return objects.flatMap((object, at) => {
      const name = names[at]!;
      const content = contents[at];
      // The object was removed after it was listed, because its retention was over.
      if (content === undefined) return [];
      return decoded(name, content).map((letter, index) => {
        const replayedAtMs = marks.get(`${name}/${index}`);
        const id = letterId({ ...object, index });
        return { ...letter, id, object: name, index, ...(replayedAtMs === undefined ? {} : { replayedAtMs }) };
      });
    });
  }

  /** Returns the time of the last replay by `<object name>/<index>`. */
  async #marks(range: { below: string; from?: string; to?: string }): Promise<Map<string, number>> {
    const marks = new Map<string, number>();
    for await (const { objects } of this.#objects.list(range)) {
      for (const { objectName, index, replayedAtMs } of objects.flatMap(({ name }) => parseMarkName(name) ?? [])) {
        const key = `${objectName}/${index}`;
        marks.set(key, Math.max(replayedAtMs, marks.get(key) ?? replayedAtMs));
      }
    }
    return marks;
  }
}

const minuteOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS);

/** Returns the bytes of a letter in the queue: its payload, its text and some 100 bytes around them. */
function letterBytes({ payload, detail, eventId }: NewDeadLetter): number {
  return payload.byteLength + 2 * detail.length + (eventId?.length ?? 0) + 100;
}

function decoded(name: string, content: Uint8Array): NewDeadLetter[] {
  try {
    return decodeDeadLetters(content);
  } catch (error) {
    if (!(error instanceof AvroError)) throw error;
    throw new AvroError(`dead letters ${name}: ${error.message}`, { cause: error });
  }
}

function countsOf({ below, from, to }: ListQuery): ListQuery {
  return { below: COUNTS + below, ...(from && { from: COUNTS + from }), ...(to && { to: COUNTS + to }) };
}
