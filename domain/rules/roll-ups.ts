// SPDX-License-Identifier: Apache-2.0
/**
 * The assignment of a video's cells to a file when the cells leave the store. `viewmill tier` and `viewmill export`
 * write files by it, and the reader of roll-ups finds a video's file by it.
 */

import { DAY_MS } from "./time";

/**
 * FNV-1a over the characters of an id, which are ASCII. The function must never change, because names of stored files
 * contain its result.
 */
export function rollUpPart(videoId: string, parts: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < videoId.length; index++) {
    hash = Math.imul(hash ^ videoId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % parts;
}

/**
 * No cell younger than this is in roll-ups. What is configured now does not decide it, because another configuration
 * may have rolled cells up before; under each of them minutes are kept for three days at least. It is far below that,
 * because clocks differ. Readers, and the writers of a cluster, ask for the state of tiering beyond it.
 */
export const YOUNGEST_ROLLED_MS = DAY_MS;

/** The cells that one process holds in memory while it writes a part: about 100 bytes each. */
export const CELLS_A_PART = 500_000;
