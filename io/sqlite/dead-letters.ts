// SPDX-License-Identifier: Apache-2.0
/**
 * The embedded dead letters: dead-letters.sqlite in the data folder. Appends are durable and group committed in a
 * worker thread (started at the first append); listing and marking go over a connection of the calling thread, also
 * from another process (the command line), waiting for each other's transactions. The write API and the stream append
 * to it, and operators list and replay its letters.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { RejectionReason } from "../../domain/rejection";
import { MINUTE_MS } from "../../domain/rules/time";
import { BatchQueue } from "../flow/batch-queue";
import {
  type DeadLetter,
  type DeadLetters,
  type LetterQuery,
  LISTED_BYTES,
  LogFullError,
  type NewDeadLetter,
} from "../ports";
import { inTransaction, openDatabase, orUnavailable } from "./connection";
import { DEAD_LETTERS_FILE, DEAD_LETTERS_SCHEMA, letterBytes } from "./dead-letter-schema";
import { giveBack } from "./give-back";
import { packPayloads } from "./payload-pack";
import { ThreadChannel } from "./thread-channel";

interface DeadLettersOptions {
  /** The data folder; must exist. */
  folder: string;
  /** The bytes of all letters together (payload, text and about 100 a letter). Default 4 GiB. */
  maxBytes?: number;
  /** The bytes that wait in memory for the disk. Default 64 MiB. */
  maxQueueBytes?: number;
  /** Bound of the file itself; beyond it appends fail as on a full disk. Default: the disk. */
  maxFileBytes?: number;
  busyTimeoutMs?: number;
}

/** A letter is at most about 64 KiB: some milliseconds. */
const LETTERS_A_PIECE = 200;
/** With the bytes of each as `letterBytes` has them. */
const EXPIRED_LETTERS = `SELECT id, length(payload) + 2 * length(detail) + coalesce(length(event_id), 0) + 100 AS bytes
  FROM letters WHERE received_at_ms < ? ORDER BY received_at_ms LIMIT ${LETTERS_A_PIECE}`;
const MAX_GROUP_CALLS = 256;
const MAX_GROUP_BYTES = 8 << 20;

export class SqliteDeadLetters implements DeadLetters {
  readonly #db: DatabaseSync;
  readonly #channel: ThreadChannel;
  readonly #commits: BatchQueue<readonly NewDeadLetter[], boolean>;
  readonly #maxBytes: number;

  /** Opens or creates the file. Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(options: DeadLettersOptions) {
    const { folder, busyTimeoutMs, maxFileBytes } = options;
    const file = join(folder, DEAD_LETTERS_FILE);
    this.#maxBytes = options.maxBytes ?? 4 * 2 ** 30;
    this.#db = openDatabase(file, DEAD_LETTERS_SCHEMA, busyTimeoutMs === undefined ? {} : { busyTimeoutMs });
    this.#channel = new ThreadChannel(join(__dirname, "dead-letter-thread.js"), {
      file,
      maxBytes: this.#maxBytes,
      busyTimeoutMs,
      maxFileBytes,
    });
    this.#commits = new BatchQueue<readonly NewDeadLetter[], boolean>({
      commit: (calls) => this.#commit(calls),
      sizeBytes: (letters) => letters.reduce((sum, letter) => sum + letterBytes(letter, letter.payload.byteLength), 0),
      maxGroupItems: MAX_GROUP_CALLS,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueueBytes: options.maxQueueBytes ?? 64 << 20,
    });
  }

  async append(letters: readonly NewDeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    // Checked here, because a letter that the thread cannot write would fail the others of its group.
    if (!letters.every((letter) => Number.isSafeInteger(letter.receivedAtMs))) {
      throw new RangeError("a dead letter's receivedAtMs is not an integer");
    }
    const stored = await this.#commits.add(letters);
    if (!stored) throw new LogFullError(`the dead letters have reached their bound of ${this.#maxBytes} bytes`);
  }

  async list(query: LetterQuery): Promise<DeadLetter[]> {
    const conditions = ["id > ?"];
    const values: (number | string)[] = [idOf(query.afterId)];
    if (query.reason !== undefined) {
      conditions.push("reason = ?");
      values.push(query.reason);
    }
    if (query.replayed !== undefined) conditions.push(`replayed_at_ms IS ${query.replayed ? "NOT " : ""}NULL`);
    const sql = `SELECT * FROM letters WHERE ${conditions.join(" AND ")} ORDER BY id LIMIT ?`;
    return orUnavailable(DEAD_LETTERS_FILE, () => {
      const found: DeadLetter[] = [];
      let bytes = 0;
      for (const row of this.#db.prepare(sql).iterate(...values, query.limit)) {
        const letter = asLetter(row);
        found.push(letter);
        bytes += letter.payload.length;
        if (bytes >= LISTED_BYTES) break;
      }
      return found;
    });
  }

  async waiting(reason: RejectionReason, most: number): Promise<{ count: number; newest?: DeadLetter }> {
    const sql = "SELECT id FROM letters WHERE reason = ? AND replayed_at_ms IS NULL ORDER BY id DESC LIMIT ?";
    const ids = orUnavailable(DEAD_LETTERS_FILE, () => this.#db.prepare(sql).all(reason, most));
    const newest = ids[0] && (await this.get(String(ids[0].id)));
    return { count: ids.length, ...(newest && { newest }) };
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const row = orUnavailable(DEAD_LETTERS_FILE, () =>
      this.#db.prepare("SELECT * FROM letters WHERE id = ?").get(idOf(id)),
    );
    return row && asLetter(row);
  }

  async markReplayed(ids: readonly string[], atMs: number): Promise<void> {
    const mark = this.#db.prepare("UPDATE letters SET replayed_at_ms = ? WHERE id = ?");
    inTransaction(this.#db, () => {
      for (const id of ids) mark.run(atMs, idOf(id));
    });
  }

  async rejectedByMinute(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const sql = "SELECT minute, events FROM rejected WHERE minute >= ? AND minute < ? ORDER BY minute";
    const rows = orUnavailable(DEAD_LETTERS_FILE, () => this.#db.prepare(sql).all(fromMinute, toMinute));
    return new Map(rows.map((row) => [Number(row.minute), Number(row.events)]));
  }

  async expire({ lettersMs, countsMs }: { lettersMs: number; countsMs: number }): Promise<number> {
    const take = this.#db.prepare(EXPIRED_LETTERS);
    const remove = this.#db.prepare("DELETE FROM letters WHERE id = ?");
    const subtract = this.#db.prepare("UPDATE letters_state SET stored_bytes = max(0, stored_bytes - ?)");
    let expired = 0;
    for (let left = true; left; await nextTurn()) {
      const letters = inTransaction(this.#db, () => {
        const found = take.all(lettersMs);
        const bytes = found.reduce((sum, { bytes: own }) => sum + Number(own), 0);
        for (const { id } of found) remove.run(Number(id));
        subtract.run(bytes);
        return found.length;
      });
      expired += letters;
      left = letters === LETTERS_A_PIECE;
    }
    const forget = this.#db.prepare("DELETE FROM rejected WHERE minute < ?");
    inTransaction(this.#db, () => forget.run(Math.floor(countsMs / MINUTE_MS)));
    await giveBack(this.#db);
    return expired;
  }

  /** Finishes the appends made so far. */
  async close(): Promise<void> {
    await this.#commits.idle();
    await this.#channel.close();
    if (this.#db.isOpen) this.#db.close();
  }

  #commit(calls: readonly (readonly NewDeadLetter[])[]): Promise<boolean[]> {
    const packed = packPayloads(calls.flatMap((letters) => letters.map((letter) => letter.payload)));
    const withoutPayloads = calls.map((letters) => letters.map(({ payload: _, ...letter }) => letter));
    return this.#channel.call("commit", { calls: withoutPayloads, ...packed }, [packed.buffer]);
  }
}

function asLetter(row: Record<string, unknown>): DeadLetter {
  return {
    id: String(row.id),
    receivedAtMs: Number(row.received_at_ms),
    reason: row.reason as RejectionReason,
    detail: String(row.detail),
    ...(row.event_id === null ? {} : { eventId: String(row.event_id) }),
    payload: row.payload as Uint8Array,
    contentType: String(row.content_type),
    source: row.source as DeadLetter["source"],
    ...(row.replayed_at_ms === null ? {} : { replayedAtMs: Number(row.replayed_at_ms) }),
  };
}

/** An id of another store is no number; no letter here has it. */
function idOf(id: string | undefined): number {
  if (id === undefined) return 0;
  return /^\d{1,15}$/.test(id) ? Number(id) : -1;
}
