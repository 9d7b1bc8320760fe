// SPDX-License-Identifier: Apache-2.0
/** Which file a video's cells go to when they leave the store. */

/**
 * FNV-1a over the characters of an id, which are ASCII; part of the names of stored files, and therefore never changed.
 */
export function rollUpPart(videoId: string, parts: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < videoId.length; index++) {
    hash = Math.imul(hash ^ videoId.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % parts;
}

/** Cells that one process holds while it writes a part: about 100 bytes each. */
export const CELLS_A_PART = 500_000;
