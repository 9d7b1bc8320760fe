// SPDX-License-Identifier: Apache-2.0
import { hash, randomUUID, timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { DAY_MS } from "../domain/rules/time";
import type { AccessKeys, KeyUse, ListedKey } from "../io/ports/access-keys";
import { idOf } from "./key-text";

interface KeyRingOptions {
  store: AccessKeys;
  /** Returns epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  /** SHA-256 (hexadecimal) of a key with every scope that the deployment configures, beside the keys of the store. */
  operatorKeyHash?: string;
  /** SHA-256 of a key that this process made to call its own service. */
  ownKeyHash?: string;
  refreshMs?: number;
  /**
   * How long the store may fail to answer before every request is refused, because a key may have been revoked
   * meanwhile.
   */
  maxStaleMs?: number;
}

const REFRESH_MS = 2_000;
const MAX_STALE_MS = 8_000;
/** Compared where no such key exists, so that the answer takes the same time. */
const NO_HASH = Buffer.alloc(32);

type KeyLookup = { kind: "key"; key: ListedKey } | { kind: "unknown" } | { kind: "stale" };

const UNKNOWN: KeyLookup = { kind: "unknown" };
const STALE: KeyLookup = { kind: "stale" };

/** A key as the ring keeps it: whatever is the same for each of its requests is made once. */
interface KnownKey {
  hash: Buffer;
  key: ListedKey;
  found: KeyLookup;
}

/** A text that was found to be a key, and what need not be done again for it. */
interface ProvenText {
  digest: Buffer;
  isOperator: boolean;
  /** The key whose hash the digest was compared with, and is equal to. Each refresh makes keys anew. */
  key: KnownKey | undefined;
}

/** The texts of keys whose digest is kept: a hash takes more than all else that is done for a refused request. */
const MOST_PROVEN = 1_000;

/**
 * Every key of the deployment in memory. The ring reads the keys again every two seconds, and writes down their use on
 * this instance as often. Admission looks up the key of a request in it.
 */
export class KeyRing {
  /** Identifies this process in the notes of use. */
  readonly instance = randomUUID();
  private keys: ReadonlyMap<string, KnownKey> = new Map();
  private readonly operatorHashes: readonly Buffer[];
  private namedOrigins: ReadonlySet<string> = new Set();
  private readAtMs = Number.NEGATIVE_INFINITY;
  private readonly uses = new Map<string, KeyUse>();
  private changed = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private closed = false;
  private readDay = 0;
  /** The reads of the keys so far, and the newest one whose answer the ring has. */
  private reads = 0;
  private newestRead = 0;
  /**
   * Only texts of valid keys are kept, so no stranger learns from the time of an answer more than from the answer. A
   * map compares texts only where their seeded hashes are equal, so the time tells nothing of a text in part.
   */
  private readonly proven = new Map<string, ProvenText>();

  private constructor(private readonly options: KeyRingOptions) {
    const { operatorKeyHash, ownKeyHash } = options;
    this.operatorHashes = [operatorKeyHash, ownKeyHash].flatMap((each) => (each === undefined ? [] : [bytesOf(each)]));
  }

  /**
   * Opens the ring. Rejects with `StoreUnavailableError`, because a service that knows no keys must admit no request.
   */
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

  /**
   * Whether requests need a key. A revoked or expired key still counts, so that the end of the last key does not open
   * the service.
   */
  get required(): boolean {
    return this.options.operatorKeyHash !== undefined || this.keys.size > 0;
  }

  /** The origins that any key names. Every answer asks for them, so they are collected when the keys are read. */
  get origins(): ReadonlySet<string> {
    return this.namedOrigins;
  }

  /** Looks a key up; a text that is no valid key in the same time, whether or not a key has its id. */
  find(text: string): KeyLookup {
    const known = this.keys.get(idOf(text) ?? "");
    const proof = this.proven.get(text) ?? this.prove(text, known);
    if (proof.isOperator) return OPERATOR_FOUND;
    if (performance.now() - this.readAtMs > (this.options.maxStaleMs ?? MAX_STALE_MS)) return STALE;
    if (known === undefined || !isKeyOf(proof, known) || known.key.revokedAtMs !== undefined) return UNKNOWN;
    const { expiresAtMs } = known.key;
    return expiresAtMs !== undefined && expiresAtMs <= this.options.clock() ? UNKNOWN : known.found;
  }

  private prove(text: string, known: KnownKey | undefined): ProvenText {
    const digest = hash("sha256", text, "buffer");
    const isKey = timingSafeEqual(digest, known?.hash ?? NO_HASH) && known !== undefined;
    let isOperator = false;
    for (const operatorHash of this.operatorHashes) if (timingSafeEqual(digest, operatorHash)) isOperator = true;
    const proof = { digest, isOperator, key: isKey ? known : undefined };
    if (!isKey && !isOperator) return proof;
    if (this.proven.size >= MOST_PROVEN) this.proven.clear();
    this.proven.set(text, proof);
    return proof;
  }

  /** Notes a use of a key of the store, and the events accepted with it. */
  used(keyId: string, events: number): void {
    if (keyId === OPERATOR.id) return;
    const nowMs = this.options.clock();
    const day = Math.floor(nowMs / DAY_MS);
    const earlier = this.uses.get(keyId);
    const before = earlier?.day === day ? earlier.events : 0;
    // A payment of yesterday that is taken back today was never a part of today's.
    this.uses.set(keyId, { keyId, day, events: Math.max(0, before + events), lastUsedAtMs: nowMs });
    this.changed.add(keyId);
  }

  /**
   * Returns the events accepted with the key today: by this instance until now, by the others until the last refresh.
   */
  eventsToday(key: ListedKey): number {
    const day = Math.floor(this.options.clock() / DAY_MS);
    const use = this.uses.get(key.id);
    let events = use?.day === day ? use.events : 0;
    if (this.readDay === day)
      for (const [instance, others] of key.eventsByInstance) if (instance !== this.instance) events += others;
    return events;
  }

  /**
   * Returns the store as the operators of this instance change it: a new key works at once on this instance, and a
   * revoked one no longer. Where the keys cannot be read after the change, they are read with the next refresh.
   */
  changing(): Pick<AccessKeys, "list" | "add" | "revoke"> {
    const { store } = this.options;
    const afterwards = () =>
      this.refresh().catch((error: unknown) =>
        this.options.logger.warn({ err: error }, "the access keys cannot be read after a change"),
      );
    return {
      list: (day) => store.list(day),
      add: async (key) => {
        await store.add(key);
        await afterwards();
      },
      revoke: async (keyId, atMs) => {
        const isRevoked = await store.revoke(keyId, atMs);
        if (isRevoked) await afterwards();
        return isRevoked;
      },
    };
  }

  /** Reads the keys now. A read that began before one whose answer is known changes nothing: its answer is older. */
  async refresh(): Promise<void> {
    const startedAt = performance.now();
    const read = ++this.reads;
    const day = Math.floor(this.options.clock() / DAY_MS);
    const listed = await this.options.store.list(day);
    if (read < this.newestRead) return;
    this.newestRead = read;
    this.keys = new Map(listed.map((key) => [key.id, knownOf(key)]));
    this.namedOrigins = new Set(
      listed.flatMap(({ origins = [], revokedAtMs }) => (revokedAtMs === undefined ? origins : [])),
    );
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

  /** Writes down the uses that are not in the store yet. The store stays open. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.running;
    await this.note().catch((error: unknown) =>
      this.options.logger.warn({ err: error }, "the last use of keys is not noted"),
    );
  }
}

/** The key that the deployment configures. */
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

const OPERATOR_FOUND: KeyLookup = { kind: "key", key: OPERATOR };

function isKeyOf(proof: ProvenText, known: KnownKey): boolean {
  if (proof.key === known) return true;
  if (!timingSafeEqual(proof.digest, known.hash)) return false;
  proof.key = known;
  return true;
}

const bytesOf = (hexadecimal: string): Buffer => Buffer.from(hexadecimal, "hex");

const knownOf = (key: ListedKey): KnownKey => ({ hash: bytesOf(key.hash), key, found: { kind: "key", key } });
