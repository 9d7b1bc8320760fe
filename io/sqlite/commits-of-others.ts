// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { orUnavailable } from "./connection";

/**
 * Tells whether other connections, of this process or another, have committed to the file: `PRAGMA data_version`
 * (https://sqlite.org/pragma.html#pragma_data_version).
 */
export class CommitsOfOthers {
  readonly #version: StatementSync;

  constructor(
    db: DatabaseSync,
    private readonly file: string,
  ) {
    this.#version = db.prepare("PRAGMA data_version");
    this.#version.setReturnArrays(true);
  }

  /** Returns a number that is larger after every such commit. Throws `StoreUnavailableError`. */
  count(): number {
    const [version] = orUnavailable(this.file, () => this.#version.get()) as unknown as [number];
    return version;
  }
}
