// SPDX-License-Identifier: Apache-2.0
import { type Block, CRC_BYTES, encodeCells, sealed } from "../../../io/sqlite/cell-block";

/** Returns a block's bytes with their checksum, as a row has them; undefined where no cell has a number. */
export function encodeBlock(block: Block): Uint8Array | undefined {
  const { bytes, length } = encodeCells(block);
  return length === 0 ? undefined : sealed(Uint8Array.from(bytes.subarray(0, length + CRC_BYTES)), length);
}
