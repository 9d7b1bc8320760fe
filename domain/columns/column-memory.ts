// SPDX-License-Identifier: Apache-2.0
/**
 * Memory of decoded columns. A batch has some columns of a few kilobytes each, and an allocation of its own for each of
 * them costs the allocator and the garbage collector more than the decoding of a column. So columns are cut from larger
 * pieces, as Node cuts small Buffers from its pool. A piece is zeroed, is cut once, and is freed with the last column
 * that lies in it. Decoders and tables of names take their columns from here.
 */
const PIECE_BYTES = 256 * 1024;
/** A larger column has an allocation of its own, so that little of a piece is left over. */
const MAX_CUT_BYTES = PIECE_BYTES / 16;
/** V8 keeps a typed array of at most 64 bytes on its heap, which costs less than a cut. */
const ON_HEAP_BYTES = 64;

let piece = new ArrayBuffer(0);
let cut = 0;

/** Returns a column of `length` zeros. */
export function uint32Column(length: number): Uint32Array {
  const at = place(length * 4);
  return at < 0 ? new Uint32Array(length) : new Uint32Array(piece, at, length);
}

/** Returns a column of `length` zeros. */
export function float64Column(length: number): Float64Array {
  const at = place(length * 8);
  return at < 0 ? new Float64Array(length) : new Float64Array(piece, at, length);
}

/** Returns where in `piece` the column begins, or -1 where it lies outside. */
function place(bytes: number): number {
  if (bytes <= ON_HEAP_BYTES || bytes > MAX_CUT_BYTES) return -1;
  if (cut + bytes > piece.byteLength) {
    piece = new ArrayBuffer(PIECE_BYTES);
    cut = 0;
  }
  const at = cut;
  cut += (bytes + 7) & ~7;
  return at;
}
