// SPDX-License-Identifier: Apache-2.0
/**
 * Alerts in alerts.sqlite of the data folder: a row a rule, and a row for each message and webhook. A crossing and its
 * messages are one transaction, so that a process that is killed neither loses an alert nor gives it twice. The
 * service's alerts write it, and webhooks are delivered from it.
 */
import { join } from "node:path";
import type { AlertState } from "../../domain/rules/alerts";
import type { AlertStore, AttemptOutcome, Delivery, DeliveryState, NewDelivery } from "../ports/alert-store";
import { openDatabase, type Schema } from "./connection";
import { type Row, Statements } from "./statements";

export const ALERTS_FILE = "alerts.sqlite";
const SCHEMA: Schema = {
  version: 1,
  migrations: [
    `CREATE TABLE rules (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE deliveries (
      sequence INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, message_id TEXT NOT NULL, rule TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
      next_attempt_at_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL, ended_at_ms INTEGER, last_outcome TEXT,
      UNIQUE (message_id, webhook)
    );
    CREATE INDEX deliveries_due ON deliveries (state, webhook, next_attempt_at_ms);
    CREATE INDEX deliveries_ended ON deliveries (ended_at_ms) WHERE ended_at_ms IS NOT NULL;`,
  ],
};

export class SqliteAlertStore implements AlertStore {
  readonly #statements: Statements;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor({ folder, ...options }: { folder: string; busyTimeoutMs?: number }) {
    const db = openDatabase(join(folder, ALERTS_FILE), SCHEMA, { cacheBytes: 1 << 20, ...options });
    this.#statements = new Statements(db, ALERTS_FILE);
  }

  async states(): Promise<Map<string, AlertState>> {
    const rows = this.#statements.all("SELECT name, state FROM rules");
    return new Map(rows.map(({ name, state }) => [String(name), JSON.parse(String(state)) as AlertState]));
  }

  async record(rule: string, state: AlertState, deliveries: readonly NewDelivery[], maxWaiting: number): Promise<void> {
    this.#statements.write(() => {
      this.#statements.run("INSERT OR REPLACE INTO rules VALUES (?, ?)", rule, JSON.stringify(state));
      for (const delivery of deliveries) this.#add(delivery, maxWaiting);
    });
  }

  #add({ webhook, messageId, rule, createdAtMs, body }: NewDelivery, maxWaiting: number): void {
    const isFull = this.#waitingOf(webhook) >= maxWaiting;
    this.#statements.run(
      `INSERT INTO deliveries (webhook, message_id, rule, created_at_ms, body, state, attempts, next_attempt_at_ms,
         since_ms, ended_at_ms, last_outcome) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
      ...[webhook, messageId, rule, createdAtMs, body, isFull ? "dead" : "waiting", createdAtMs, createdAtMs],
      isFull ? createdAtMs : null,
      isFull ? `not attempted: ${maxWaiting} others wait already` : null,
    );
  }

  #waitingOf(webhook: string): number {
    const sql = "SELECT count(*) AS n FROM deliveries WHERE state = 'waiting' AND webhook = ?";
    return Number(this.#statements.all(sql, webhook)[0]?.n);
  }

  async keepRules(names: readonly string[]): Promise<void> {
    this.#statements.write(() =>
      this.#statements.run(
        "DELETE FROM rules WHERE name NOT IN (SELECT value FROM json_each(?))",
        JSON.stringify(names),
      ),
    );
  }

  async due(
    webhook: string,
    nowMs: number,
    limit: number,
    longestPauseMs = Number.MAX_SAFE_INTEGER,
  ): Promise<Delivery[]> {
    return this.#statements
      .all(
        `SELECT * FROM deliveries WHERE state = 'waiting' AND webhook = ?
           AND (next_attempt_at_ms <= ? OR next_attempt_at_ms > ?) ORDER BY next_attempt_at_ms, sequence LIMIT ?`,
        webhook,
        nowMs,
        Math.min(nowMs + longestPauseMs, Number.MAX_SAFE_INTEGER),
        limit,
      )
      .map(asDelivery);
  }

  async attempted(sequence: number, outcome: AttemptOutcome): Promise<void> {
    const { state, detail } = outcome;
    this.#statements.write(() =>
      this.#statements.run(
        `UPDATE deliveries SET state = ?, attempts = attempts + 1, last_outcome = ?, ended_at_ms = ?,
           next_attempt_at_ms = coalesce(?, next_attempt_at_ms) WHERE sequence = ? AND state = 'waiting'`,
        state,
        detail,
        outcome.state === "waiting" ? null : outcome.atMs,
        outcome.state === "waiting" ? outcome.nextAttemptAtMs : null,
        sequence,
      ),
    );
  }

  async list(query: Parameters<AlertStore["list"]>[0]): Promise<Delivery[]> {
    const { limit, beforeSequence = Number.MAX_SAFE_INTEGER } = query;
    const { where, values } = condition(query);
    const sql = `SELECT * FROM deliveries WHERE ${where} AND sequence < ? ORDER BY sequence DESC LIMIT ?`;
    return this.#statements.all(sql, ...values, beforeSequence, limit).map(asDelivery);
  }

  async waiting(): Promise<Map<string, number>> {
    const sql = "SELECT webhook, count(*) AS n FROM deliveries WHERE state = 'waiting' GROUP BY webhook";
    return new Map(this.#statements.all(sql).map(({ webhook, n }) => [String(webhook), Number(n)]));
  }

  async replay(query: Parameters<AlertStore["replay"]>[0], nowMs: number): Promise<number> {
    const { where, values } = condition(query);
    let replayed = 0;
    this.#statements.write(() => {
      replayed = this.#statements.all(
        `UPDATE deliveries SET state = 'waiting', next_attempt_at_ms = ?, since_ms = ?, ended_at_ms = NULL
         WHERE ${where} RETURNING sequence`,
        nowMs,
        nowMs,
        ...values,
      ).length;
    });
    return replayed;
  }

  async prune(endedBeforeMs: number): Promise<void> {
    this.#statements.write(() =>
      this.#statements.run("DELETE FROM deliveries WHERE ended_at_ms IS NOT NULL AND ended_at_ms < ?", endedBeforeMs),
    );
  }

  async close(): Promise<void> {
    if (this.#statements.db.isOpen) this.#statements.db.close();
  }
}

function condition(query: { messageId?: string; webhook?: string; state?: DeliveryState }) {
  const asked = Object.entries({ message_id: query.messageId, webhook: query.webhook, state: query.state });
  const said = asked.filter((pair): pair is [string, string] => pair[1] !== undefined);
  const where = ["TRUE", ...said.map(([column]) => `${column} = ?`)].join(" AND ");
  return { where, values: said.map(([, value]) => value) };
}

function asDelivery(row: Row): Delivery {
  return {
    sequence: Number(row.sequence),
    webhook: String(row.webhook),
    messageId: String(row.message_id),
    rule: String(row.rule),
    createdAtMs: Number(row.created_at_ms),
    body: String(row.body),
    state: row.state as DeliveryState,
    attempts: Number(row.attempts),
    nextAttemptAtMs: Number(row.next_attempt_at_ms),
    sinceMs: Number(row.since_ms),
    ...(row.ended_at_ms === null ? {} : { endedAtMs: Number(row.ended_at_ms) }),
    ...(row.last_outcome === null ? {} : { lastOutcome: String(row.last_outcome) }),
  };
}
