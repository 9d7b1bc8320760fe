// SPDX-License-Identifier: Apache-2.0
/** Every decoder consumes all of its input, or says that it did not. */
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { InflateError, inflate, inflateAsync } from "../../../../io/formats/compression/inflate";
import { MAX_ZSTD_FRAMES } from "../../../../io/formats/compression/zstd-frames";
import { packPayloads, unpackPayloads } from "../../../../io/sqlite/payload-pack";

const MIB = 1 << 20;

interface Piece {
  packed: Buffer;
  plain: Buffer;
}

const plain = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: 0, max: 300_000 }).map((size) => Buffer.alloc(size, "viewmill ")),
);
const zstdFrame = fc
  .record({ bytes: plain, level: fc.integer({ min: 1, max: 6 }), checksum: fc.nat(1), size: fc.nat(1) })
  .map(({ bytes, level, checksum, size }): Piece => {
    const params = {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_checksumFlag]: checksum,
      [constants.ZSTD_c_contentSizeFlag]: size,
    };
    return { packed: zstdCompressSync(bytes, { params }), plain: Buffer.from(bytes) };
  });
const skippableFrame = fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 60 })).map(([which, bytes]): Piece => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + which);
  head.writeUInt32LE(bytes.length, 4);
  return { packed: Buffer.concat([head, bytes]), plain: Buffer.alloc(0) };
});
const gzipMember = plain.map((bytes): Piece => ({ packed: gzipSync(bytes, { level: 1 }), plain: Buffer.from(bytes) }));
const pieces = (piece: fc.Arbitrary<Piece>) => fc.array(piece, { minLength: 1, maxLength: 5 });
const garbage = fc.uint8Array({ minLength: 1, maxLength: 40 });
const together = (some: Piece[]): Piece => ({
  packed: Buffer.concat(some.map(({ packed }) => packed)),
  plain: Buffer.concat(some.map((each) => each.plain)),
});

const CODECS = [
  ["zstd", pieces(fc.oneof(zstdFrame, zstdFrame, skippableFrame))],
  ["gzip", pieces(gzipMember)],
] as const;

describe.each(CODECS)("%s", (codec, streams) => {
  const bounds = { maxBytes: 4 * MIB };

  it("is all that its parts hold, on the event loop and off it", async () => {
    await fc.assert(
      fc.asyncProperty(streams, async (some) => {
        const { packed, plain: whole } = together(some);
        expect(inflate(packed, codec, bounds).equals(whole)).toBe(true);
        expect((await inflateAsync(packed, codec, bounds)).equals(whole)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused with anything else behind it, zeros too", () => {
    fc.assert(
      fc.property(streams, fc.oneof(garbage, fc.constantFrom(Buffer.alloc(1), Buffer.alloc(512))), (some, rest) => {
        const { packed } = together(some);
        expect(() => inflate(Buffer.concat([packed, rest]), codec, bounds)).toThrow(InflateError);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused cut off anywhere but between its parts", () => {
    fc.assert(
      fc.property(streams, fc.double({ min: 0, max: 0.999, noNaN: true }), (some, where) => {
        const { packed } = together(some);
        const end = Math.floor(where * packed.length);
        const whole = some.map((_, index) => together(some.slice(0, index + 1)).packed.length);
        if (whole.includes(end)) return;
        expect(() => inflate(packed.subarray(0, end), codec, bounds)).toThrow(InflateError);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps to its bound over all parts together", async () => {
    const one = Buffer.alloc(100_000, "a");
    const packed = codec === "zstd" ? zstdCompressSync(one) : gzipSync(one);
    const three = Buffer.concat([packed, packed, packed]);
    expect(inflate(three, codec, { maxBytes: 300_000 })).toHaveLength(300_000);
    for (const maxBytes of [299_999, 200_000, 100_000, 1]) {
      expect(() => inflate(three, codec, { maxBytes })).toThrow(expect.objectContaining({ kind: "too-large" }));
    }
    const large = Buffer.concat(Array.from({ length: 3 }, () => gzipSync(randomLike(80_000))));
    if (codec === "gzip") expect(await inflateAsync(large, codec, bounds)).toHaveLength(240_000);
  });
});

/** Bytes that do not compress. */
function randomLike(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

it("a zstd stream of more frames than a body has events is refused, whatever they hold", () => {
  const frame = zstdCompressSync(Buffer.alloc(0));
  const most = Buffer.concat(Array.from({ length: MAX_ZSTD_FRAMES }, () => frame));
  expect(inflate(most, "zstd", { maxBytes: 10 })).toHaveLength(0);
  expect(() => inflate(Buffer.concat([most, frame]), "zstd", { maxBytes: 10 })).toThrow("zstd frames");
});

it("payloads that do not add up to their buffer are refused", () => {
  const packed = packPayloads([Buffer.from("ab"), Buffer.from("c")]);
  expect(unpackPayloads(packed).map((each) => Buffer.from(each).toString())).toEqual(["ab", "c"]);
  expect(() => unpackPayloads({ ...packed, sizes: [2] })).toThrow(RangeError);
  expect(() => unpackPayloads({ ...packed, sizes: [2, 2] })).toThrow(RangeError);
});
