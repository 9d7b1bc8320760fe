// SPDX-License-Identifier: Apache-2.0
import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { DAY_MS } from "../domain/rules/time";
import type { AccessKeys, KeyUse, ListedKey } from "../io/ports/access-keys";
import { hashOf, idOf } from "./key-text";

export interface KeyRingOptions {
  store: AccessKeys;
  /** Epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  /** SHA-256 (hexadecimal) of a key with every scope that the deployment brings itself, beside those of the store. */
  operatorKeyHash?: string;
  /** Of a key that this process made for itself, to speak with its own service. */
  ownKeyHash?: string;
  refreshMs?: number;
  /** After so long without an answer of the store nobody is let in: a key may have been revoked. */
  maxStaleMs?: number;
}

const REFRESH_MS = 2_000;
const MAX_STALE_MS = 8_000;
/** Compared where there is no such key, so that the answer takes as long. */
const NO_HASH = Buffer.alloc(32);

export type KeyLookup = { kind: "key"; key: ListedKey } | { kind: "unknown" } | { kind: "stale" };

/**
 * Every key of the deployment in memory, read again every two seconds; what this instance sees of their use is noted as
 * often.
 */
export class KeyRing {
  /** Of this process in the notes of use. */
  readonly instance = randomUUID();
  private keys: ReadonlyMap<string, ListedKey> = new Map();
  private readAtMs = Number.NEGATIVE_INFINITY;
  private readonly uses = new Map<string, KeyUse>();
  private changed = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private closed = false;
  private readDay = 0;

  private constructor(private readonly options: KeyRingOptions) {}

  /** Rejects with `StoreUnavailableError`: a service that knows no keys lets nobody in. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const ring = new KeyRing(options);
    await ring.refresh();
    const next = () => {
      if (ring.closed) return;
      ring.timer = setTimeout(() => {
        ring.running = ring.turn().finally(next);
      }, options.refreshMs ?? REFRESH_MS);
      ring.timer.unref();
    };
    next();
    return ring;
  }

  /** Whether requests need a key. A revoked or expired key still counts: the end of the last key opens no door. */
  get required(): boolean {
    return this.options.operatorKeyHash !== undefined || this.keys.size > 0;
  }

  /** Origins that any key names. */
  *origins(): Generator<string, void, undefined> {
    for (const { origins, revokedAtMs } of this.keys.values()) if (revokedAtMs === undefined) yield* origins ?? [];
  }

  /** Takes as long for an unknown key as for a known one. */
  find(text: string): KeyLookup {
    const nowMs = this.options.clock();
    const hash = hashOf(text);
    const key = this.keys.get(idOf(text) ?? "");
    const isKey = equal(hash, key?.hash) && key !== undefined;
    const isOperator = equal(hash, this.options.operatorKeyHash) || equal(hash, this.options.ownKeyHash);
    if (isOperator) return { kind: "key", key: OPERATOR };
    if (performance.now() - this.readAtMs > (this.options.maxStaleMs ?? MAX_STALE_MS)) return { kind: "stale" };
    if (!isKey || key.revokedAtMs !== undefined) return { kind: "unknown" };
    return key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs ? { kind: "unknown" } : { kind: "key", key };
  }

  /** Notes a use of a key that the store has, and the events accepted by it. */
  used(keyId: string, events: number): void {
    if (keyId === OPERATOR.id) return;
    const nowMs = this.options.clock();
    const day = Math.floor(nowMs / DAY_MS);
    const earlier = this.uses.get(keyId);
    const before = earlier?.day === day ? earlier.events : 0;
    this.uses.set(keyId, { keyId, day, events: before + events, lastUsedAtMs: nowMs });
    this.changed.add(keyId);
  }

  /** Events accepted from the key today: by this instance, and by the others as of the last refresh. */
  eventsToday(key: ListedKey): number {
    const day = Math.floor(this.options.clock() / DAY_MS);
    const use = this.uses.get(key.id);
    let events = use?.day === day ? use.events : 0;
    if (this.readDay === day)
      for (const [instance, others] of key.eventsByInstance) if (instance !== this.instance) events += others;
    return events;
  }

  /** Reads the keys now. */
  async refresh(): Promise<void> {
    const startedAt = performance.now();
    const day = Math.floor(this.options.clock() / DAY_MS);
    const listed = await this.options.store.list(day);
    this.keys = new Map(listed.map((key) => [key.id, key]));
    this.readDay = day;
    this.readAtMs = startedAt;
  }

  private async turn(): Promise<void> {
    const warn = (message: string) => (error: unknown) => this.options.logger.warn({ err: error }, message);
    await Promise.all([
      this.refresh().catch(warn("the access keys cannot be read now")),
      this.note().catch(warn("the use of access keys cannot be noted now")),
    ]);
  }

  private async note(): Promise<void> {
    const noted = this.changed;
    if (noted.size === 0) return;
    this.changed = new Set();
    try {
      await this.options.store.noteUses(
        this.instance,
        [...noted].map((keyId) => this.uses.get(keyId)!),
      );
    } catch (error) {
      for (const keyId of noted) this.changed.add(keyId);
      throw error;
    }
  }

  /** Notes what is not noted yet; the store stays open. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.running;
    await this.note().catch((error: unknown) =>
      this.options.logger.warn({ err: error }, "the last use of keys is not noted"),
    );
  }
}

/** The key that the deployment brings itself. */
const OPERATOR: ListedKey = {
  id: "operator",
  name: "operator",
  hash: "",
  scopes: ["write", "read", "operate"],
  isPublic: false,
  limits: {},
  createdAtMs: 0,
  eventsByInstance: new Map(),
};

function equal(hash: string, known: string | undefined): boolean {
  const expected = known === undefined ? NO_HASH : Buffer.from(known, "hex");
  return timingSafeEqual(Buffer.from(hash, "hex"), expected) && known !== undefined;
}
