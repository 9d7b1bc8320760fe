// SPDX-License-Identifier: Apache-2.0
/**
 * The frames of a zstandard stream. inflate.ts reads a stream frame by frame, and the intake recognises zstd by the
 * first bytes.
 */

/**
 * Finds the frames of a zstandard stream (RFC 8878, section 3.1) by their headers and block sizes alone. Node's
 * decompressor stops after the first frame and reports no rest, so the caller has to know the frames beforehand.
 */
const MAGIC = 0xfd2fb528;
const FIRST_SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MAGICS = 16;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
/** The largest number of frames. A frame costs 50 us whatever it holds, and no body holds more events. */
export const MAX_ZSTD_FRAMES = 10_000;

export class ZstdFrameError extends Error {
  override readonly name = "ZstdFrameError";
}

/** Returns whether the first bytes are those of a frame, skippable ones included. */
export function startsAsZstd(bytes: Buffer): boolean {
  return bytes.length >= 4 && (bytes.readUInt32LE(0) === MAGIC || isSkippable(bytes.readUInt32LE(0)));
}

/**
 * Returns the frames with data, in order, without skippable ones. Throws ZstdFrameError where a frame is cut, where
 * other bytes follow a frame, and beyond MAX_ZSTD_FRAMES.
 */
export function zstdFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  let seen = 0;
  for (let at = 0; at < bytes.length; ) {
    if (++seen > MAX_ZSTD_FRAMES) throw new ZstdFrameError(`more than ${MAX_ZSTD_FRAMES} zstd frames`);
    const magic = word(bytes, at);
    const end = isSkippable(magic) ? at + 8 + word(bytes, at + 4) : frameEnd(bytes, at, magic);
    if (end > bytes.length) throw cut();
    if (magic === MAGIC) frames.push(bytes.subarray(at, end));
    at = end;
  }
  if (seen === 0) throw new ZstdFrameError("there is no zstd frame");
  return frames;
}

const isSkippable = (magic: number): boolean =>
  magic >= FIRST_SKIPPABLE_MAGIC && magic < FIRST_SKIPPABLE_MAGIC + SKIPPABLE_MAGICS;

function frameEnd(bytes: Buffer, start: number, magic: number): number {
  if (magic !== MAGIC) throw new ZstdFrameError(`the bytes at ${start} are no zstd frame`);
  const descriptor = byte(bytes, start + 4);
  if ((descriptor & 0x08) !== 0) throw new ZstdFrameError("a zstd frame has a reserved bit set");
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const contentSizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! + contentSizeBytes;
  for (;;) {
    const header = byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) throw new ZstdFrameError("a zstd block has a reserved type");
    at += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : header >> 3);
    if ((header & 1) !== 0) break;
  }
  return (descriptor & 0x04) === 0 ? at : at + CHECKSUM_BYTES;
}

function byte(bytes: Buffer, at: number): number {
  const value = bytes[at];
  if (value === undefined) throw cut();
  return value;
}

function word(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw cut();
  return bytes.readUInt32LE(at);
}

const cut = (): ZstdFrameError => new ZstdFrameError("the zstd stream is cut off");
