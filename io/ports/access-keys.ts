// SPDX-License-Identifier: Apache-2.0
/**
 * The port of access keys, which decide who may write, read and operate a deployment. Admission reads them, and
 * `viewmill keys` and the admin endpoint change them.
 */

export const SCOPES = ["write", "read", "operate"] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * The limits of a key: the work that one instance of the service does for it in a second, and that the whole deployment
 * does in a day (UTC). Absent: the deployment's default.
 */
export interface KeyLimits {
  requestsPerSecond?: number;
  eventsPerSecond?: number;
  bytesPerSecond?: number;
  eventsPerDay?: number;
}

/** A key without its secret. Only the hash of the secret is stored. */
export interface AccessKey {
  /** A random part of the key's text, by which a key is found without a search. At most 32 of `[A-Za-z0-9]`. */
  id: string;
  name: string;
  /** The SHA-256 of the key's whole text, hexadecimal. */
  hash: string;
  scopes: readonly Scope[];
  /** Whether the key is published in pages that everybody can read. Such a key may write and nothing else. */
  isPublic: boolean;
  /** The event types that the key may send; absent: all. */
  eventTypes?: readonly string[];
  /** The origins of pages that may use the key; absent: all pages, and requests that no page sends. */
  origins?: readonly string[];
  limits: KeyLimits;
  createdAtMs: number;
  expiresAtMs?: number;
}

/** The uses of a key on one day, as one instance saw them. */
export interface KeyUse {
  keyId: string;
  /** Days since 1970, UTC. */
  day: number;
  /**
   * Events accepted from the key on that day by this instance. The number is absolute, so that a note may be repeated.
   */
  events: number;
  lastUsedAtMs: number;
}

export interface ListedKey extends AccessKey {
  revokedAtMs?: number;
  lastUsedAtMs?: number;
  /** Events accepted on the requested day, by instance. */
  eventsByInstance: ReadonlyMap<string, number>;
}

/** Every method rejects with `StoreUnavailableError` where the store does not answer. */
export interface AccessKeys {
  /** Stores a new key, whose id is new. */
  add(key: AccessKey): Promise<void>;
  /** Returns every key that was ever stored, revoked ones too, the oldest first. */
  list(day: number): Promise<ListedKey[]>;
  /** Revokes a key. The first revocation stays. Resolves with false where no such key exists. */
  revoke(keyId: string, atMs: number): Promise<boolean>;
  /**
   * Notes uses, in any order and any number of times: the larger number and the later time stay. The store may forget
   * days long past.
   */
  noteUses(instance: string, uses: readonly KeyUse[]): Promise<void>;
  close(): Promise<void>;
}
