// SPDX-License-Identifier: Apache-2.0
/**
 * Claims in a directory: batches outside of the log, written as the archive's objects are. A service on a shared log
 * writes them where no bucket is configured.
 */
import { stat } from "node:fs/promises";
import { parseArchiveObjectName } from "../../domain/archive-name";
import { ClaimMissingError, type ClaimStore, StoreUnavailableError } from "../ports";
import { DirectoryArchive, type DirectoryArchiveOptions } from "./archive";

export class DirectoryClaimStore implements ClaimStore {
  readonly #files: DirectoryArchive;
  readonly #folder: string;

  constructor(options: DirectoryArchiveOptions) {
    this.#files = new DirectoryArchive(options);
    this.#folder = options.folder;
  }

  /**
   * `name` has the form `date=2026-11-21/hour=10/minute=03/<file>.avro`. Rejects with RangeError for any other, with
   * `StoreUnavailableError`.
   */
  async write(name: string, content: Uint8Array): Promise<void> {
    const { minute, fileName } = checked(name);
    await this.#files.write(minute, fileName, content);
  }

  async read(name: string): Promise<Uint8Array> {
    checked(name);
    try {
      return await this.#files.read(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // A folder that is not mounted has no claims either, which does not prove that the claim is missing.
      await stat(this.#folder).catch((cause: unknown) => {
        throw new StoreUnavailableError(`the folder of claims ${this.#folder} is not there`, { cause });
      });
      throw new ClaimMissingError(`there is no claim ${name}`, { cause: error });
    }
  }
}

function checked(name: string): { minute: number; fileName: string } {
  const place = parseArchiveObjectName(name);
  if (place === undefined) throw new RangeError(`"${name.slice(0, 120)}" is not a claim's name`);
  return place;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
