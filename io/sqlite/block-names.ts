// SPDX-License-Identifier: Apache-2.0
/**
 * Names of the videos of a block, 64 at a time, and of types, for scans over blocks. Reads of many videos take names
 * from it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DamagedBlockError, VIDEOS_A_BLOCK } from "./cell-block";
import { COUNTERS_FILE } from "./counter-file";

const CACHED_BLOCKS = 4096;

export class BlockNames {
  readonly #videos: StatementSync;
  readonly #type: StatementSync;
  readonly #from: StatementSync;
  readonly #seen: StatementSync;
  readonly #blocks = new Map<number, readonly string[]>();
  readonly #types = new Map<number, string>();

  constructor(db: DatabaseSync) {
    this.#videos = db.prepare("SELECT id, name FROM videos WHERE id >= ? AND id < ?");
    this.#videos.setReturnArrays(true);
    this.#seen = db.prepare("SELECT id, name FROM videos WHERE id > ? ORDER BY id LIMIT ?");
    this.#seen.setReturnArrays(true);
    this.#type = db.prepare("SELECT name FROM types WHERE id = ?");
    this.#from = db.prepare("SELECT name FROM videos WHERE name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?");
  }

  /** Returns names by their ids, which grow from video to video, behind `after`. */
  seenAfter(after: number, limit: number): { videoIds: string[]; last: number } {
    const rows = this.#seen.all(after, limit) as unknown as [number, string][];
    return { videoIds: rows.map(([, name]) => name), last: rows.at(-1)?.[0] ?? after };
  }

  /**
   * Returns names by place in the bucket. A video named after the bucket was first read is missing; `video` knows it.
   */
  videos(bucket: number): readonly string[] {
    return this.#blocks.get(bucket) ?? this.#read(bucket);
  }

  #read(bucket: number): readonly string[] {
    const first = bucket * VIDEOS_A_BLOCK;
    const names = new Array<string>(VIDEOS_A_BLOCK);
    for (const [id, name] of this.#videos.iterate(first, first + VIDEOS_A_BLOCK) as unknown as Iterable<
      [number, string]
    >) {
      names[id - first] = name;
    }
    if (this.#blocks.size >= CACHED_BLOCKS) this.#blocks.clear();
    this.#blocks.set(bucket, names);
    return names;
  }

  /** Returns names that begin with a text, in order, after `after`. */
  videosFrom(text: string, after: string, limit: number): string[] {
    return this.#from.all(text, `${text}\u{10FFFF}`, after, limit).map(({ name }) => String(name));
  }

  video(id: number): string {
    const inside = id % VIDEOS_A_BLOCK;
    const bucket = (id - inside) / VIDEOS_A_BLOCK;
    const name = this.videos(bucket)[inside] ?? this.#read(bucket)[inside];
    if (name === undefined) throw new DamagedBlockError(`${COUNTERS_FILE}: video ${id} has cells and no name`);
    return name;
  }

  type(id: number): string {
    let name = this.#types.get(id);
    if (name === undefined) {
      const row = this.#type.get(id);
      if (row === undefined) throw new DamagedBlockError(`${COUNTERS_FILE}: type ${id} has cells and no name`);
      name = String(row.name);
      this.#types.set(id, name);
    }
    return name;
  }
}
