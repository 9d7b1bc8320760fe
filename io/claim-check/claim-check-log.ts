// SPDX-License-Identifier: Apache-2.0
/**
 * Claim check: a log that keeps large batches in a store of claims, and holds references to them. While the log is
 * behind, it keeps all batches there, so that a backlog fills cheap storage instead of the log. A claim must outlive
 * its reference, so the store's retention must be longer than the log's. A claim without a reference (after a crash
 * between the two writes) has no use, and goes with that retention. `serve` puts it around a shared log whose messages
 * are small, as Pub/Sub's are.
 */

import { randomUUID } from "node:crypto";
import { crc32 } from "node:zlib";
import { minuteFolder } from "../../domain/archive-name";
import { MINUTE_MS } from "../../domain/rules/time";
import { encodeReference } from "../formats/avro/reference";
import { type ClaimStore, type EventLog, type LogBatch, StoreUnavailableError } from "../ports";

export interface ClaimCheckOptions {
  log: EventLog;
  claims: ClaimStore;
  /** The size above which a payload becomes a claim. */
  maxMessageBytes: number;
  /**
   * Returns whether the log is behind, so that all batches become claims. Asked at most once in `behindSampleMs`; a
   * rejection counts as false.
   */
  isBehind?: () => Promise<boolean>;
  /** The interval of samples. Default 5 s. */
  behindSampleMs?: number;
  now?: () => number;
}

export class ClaimCheckLog implements EventLog {
  readonly #options: ClaimCheckOptions;
  readonly #now: () => number;
  readonly #behindSampleMs: number;
  #behind = false;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #sampling = false;

  constructor(options: ClaimCheckOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#behindSampleMs = options.behindSampleMs ?? 5000;
  }

  /**
   * Appends as the log does. A large batch is refused with `StoreUnavailableError` while the claims cannot be written.
   */
  async append(batch: LogBatch): Promise<unknown> {
    const isLarge = batch.payload.byteLength > this.#options.maxMessageBytes;
    if (!isLarge && !this.#isBehind()) return this.#options.log.append(batch);
    let payload: Uint8Array;
    try {
      payload = await this.#claimed(batch);
    } catch (error) {
      // Small batches can use the log directly while the claims are away.
      if (isLarge || !(error instanceof StoreUnavailableError)) throw error;
      return this.#options.log.append(batch);
    }
    return this.#options.log.append({ ...batch, payload });
  }

  ping(): Promise<void> {
    return this.#options.log.ping();
  }

  close(): Promise<void> {
    return this.#options.log.close();
  }

  async #claimed({ payload, events }: LogBatch): Promise<Uint8Array> {
    const name = `${minuteFolder(Math.floor(this.#now() / MINUTE_MS))}/${randomUUID()}.avro`;
    await this.#options.claims.write(name, payload);
    return encodeReference({ name, sizeBytes: payload.byteLength, crc32: crc32(payload), events });
  }

  /** Returns the last sample. An old one is replaced meanwhile, and no append waits for the new one. */
  #isBehind(): boolean {
    const { isBehind } = this.#options;
    if (isBehind === undefined) return false;
    if (!this.#sampling && this.#now() - this.#sampledAtMs >= this.#behindSampleMs) {
      this.#sampling = true;
      this.#sampledAtMs = this.#now();
      isBehind()
        .catch(() => false)
        .then((behind) => {
          this.#behind = behind;
          this.#sampling = false;
        });
    }
    return this.#behind;
  }
}
