// SPDX-License-Identifier: Apache-2.0
/**
 * A folder of Parquet files in a bucket: roll-ups, which `viewmill tier` writes and the counter store reads, and
 * exports, which `viewmill export` writes.
 */
import type { RollUpBytes, RollUpFolder } from "../ports";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

const CONTENT_TYPE = "application/vnd.apache.parquet";

export class GcsRollUps implements RollUpFolder {
  readonly #objects: GcsObjects;

  /** Throws a RangeError for invalid options; connects at the first call. */
  constructor(options: GcsOptions) {
    this.#objects = new GcsObjects(options);
  }

  write(name: string, content: Uint8Array): Promise<void> {
    return this.#objects.put(name, content, CONTENT_TYPE);
  }

  /** The whole object is fetched, because files are a few megabytes. */
  async open(name: string): Promise<RollUpBytes | undefined> {
    const content = await this.#objects.read(name);
    if (content === undefined) return undefined;
    const bytes = Uint8Array.from(content).buffer;
    return { byteLength: bytes.byteLength, slice: async (from, to) => bytes.slice(from, to) };
  }

  async names(folder: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { objects } of this.#objects.list({ below: `${folder}/` }))
      names.push(...objects.map(({ name }) => name));
    return names;
  }

  remove(name: string): Promise<void> {
    return this.#objects.remove(name);
  }
}
