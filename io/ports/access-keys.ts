// SPDX-License-Identifier: Apache-2.0
/** The port of access keys: who may write, read and operate a deployment. */

export const SCOPES = ["write", "read", "operate"] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * What one instance of the service lets a key do in a second, and the whole deployment in a day (UTC). Absent: the
 * deployment's default.
 */
export interface KeyLimits {
  requestsPerSecond?: number;
  eventsPerSecond?: number;
  bytesPerSecond?: number;
  eventsPerDay?: number;
}

/** A key without its secret, of which the hash alone is kept. */
export interface AccessKey {
  /** Random; part of the key's text, so that a key is found without a search. At most 32 of `[A-Za-z0-9]`. */
  id: string;
  name: string;
  /** SHA-256 of the key's whole text, hexadecimal. */
  hash: string;
  scopes: readonly Scope[];
  /** Stands in pages that everybody can read: may write and nothing else. */
  isPublic: boolean;
  /** Absent: all. */
  eventTypes?: readonly string[];
  /** Of pages that may use the key; absent: all, and requests that no page sends. */
  origins?: readonly string[];
  limits: KeyLimits;
  createdAtMs: number;
  expiresAtMs?: number;
}

/** What an instance has seen of a key on a day. */
export interface KeyUse {
  keyId: string;
  /** Days since 1970, UTC. */
  day: number;
  /** Events accepted from the key on that day by this instance: absolute, so that a note may be repeated. */
  events: number;
  lastUsedAtMs: number;
}

export interface ListedKey extends AccessKey {
  revokedAtMs?: number;
  lastUsedAtMs?: number;
  /** Events accepted on the day asked for, by instance. */
  eventsByInstance: ReadonlyMap<string, number>;
}

/** Every method rejects with `StoreUnavailableError` where the store does not answer. */
export interface AccessKeys {
  /** Keeps a new key; its id is new. */
  add(key: AccessKey): Promise<void>;
  /** Every key there ever was, revoked ones too, the oldest first. */
  list(day: number): Promise<ListedKey[]>;
  /** Of several revocations the first stays; false: there is no such key. */
  revoke(keyId: string, atMs: number): Promise<boolean>;
  /**
   * In any order and any number of times: the larger number and the later time stay. Days long past may be forgotten.
   */
  noteUses(instance: string, uses: readonly KeyUse[]): Promise<void>;
  close(): Promise<void>;
}
