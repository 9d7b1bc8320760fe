// SPDX-License-Identifier: Apache-2.0
/**
 * Claims in a bucket: batches outside of the log. `serve` writes them, and the archiver and the stream's workers read
 * them.
 */
import { parseArchiveObjectName } from "../../domain/archive-name";
import { ClaimMissingError, type ClaimStore } from "../ports";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

const CONTENT_TYPE = "application/octet-stream";

export class GcsClaimStore implements ClaimStore {
  readonly #objects: GcsObjects;

  /** Throws a RangeError for invalid options; connects at the first call. */
  constructor(options: GcsOptions) {
    this.#objects = new GcsObjects(options);
  }

  /**
   * `name` has the form `date=2026-11-21/hour=10/minute=03/<file>.avro`. Rejects with RangeError for any other, with
   * `StoreUnavailableError`.
   */
  async write(name: string, content: Uint8Array): Promise<void> {
    await this.#objects.put(checked(name), content, CONTENT_TYPE);
  }

  async read(name: string): Promise<Uint8Array> {
    const content = await this.#objects.read(checked(name));
    if (content === undefined)
      throw new ClaimMissingError(`bucket ${this.#objects.config.bucket} has no claim ${name}`);
    return content;
  }

  /** Ends idle connections. */
  close(): void {
    this.#objects.close();
  }
}

function checked(name: string): string {
  if (parseArchiveObjectName(name) === undefined) throw new RangeError(`"${name.slice(0, 120)}" is not a claim's name`);
  return name;
}
