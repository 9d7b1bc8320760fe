// SPDX-License-Identifier: Apache-2.0
/** Compressed record batches that a broker's own library never writes: other parts of the formats, and damage. */
import * as fc from "fast-check";
import { compress } from "snappyjs";
import { inflateLz4 } from "../../../../io/formats/compression/lz4-frame";
import { inflateSnappy } from "../../../../io/formats/compression/snappy-frame";

const MIB = 1 << 20;
const BLOCK_BYTES = 1 << 16;
const BLOCK_OF_64_KIB = 4 << 4;

interface Sequence {
  literals: Uint8Array;
  /** The distance of the match, as a fraction of the earlier output, and its length; absent in the last sequence. */
  match?: { back: number; length: number };
}

/** A length in a half of a token, and the bytes that it goes on in. */
function lengthOf(value: number): { nibble: number; rest: number[] } {
  if (value < 15) return { nibble: value, rest: [] };
  const whole = Math.floor((value - 15) / 255);
  return { nibble: 15, rest: [...Array(whole).fill(255), (value - 15) % 255] };
}

/** One block as the specification says it, and what it stands for behind `before`, byte by byte. */
function blockOf(sequences: readonly Sequence[], before: readonly number[]): { block: Buffer; plain: number[] } {
  const plain = [...before];
  const block: number[] = [];
  for (const { literals, match } of sequences) {
    plain.push(...literals);
    const first = lengthOf(literals.length);
    if (match === undefined || plain.length === 0) {
      block.push(first.nibble << 4, ...first.rest, ...literals);
      break;
    }
    const distance = 1 + Math.floor(match.back * Math.min(plain.length, 65_535));
    const second = lengthOf(match.length - 4);
    block.push((first.nibble << 4) | second.nibble, ...first.rest, ...literals, distance & 255, distance >> 8);
    block.push(...second.rest);
    for (let n = 0; n < match.length; n++) plain.push(plain[plain.length - distance]!);
  }
  return { block: Buffer.from(block), plain: plain.slice(before.length) };
}

interface Flags {
  checksums: boolean;
  contentSize: boolean;
}

function frameOf(blocks: readonly { bytes: Buffer; compressed: boolean }[], flags: Flags, contentBytes = 0): Buffer {
  const header = Buffer.alloc(flags.contentSize ? 15 : 7);
  if (flags.contentSize) header.writeBigUInt64LE(BigInt(contentBytes), 6);
  header.writeUInt32LE(0x184d2204);
  header[4] = (1 << 6) | (flags.checksums ? 0x14 : 0) | (flags.contentSize ? 0x08 : 0);
  header[5] = BLOCK_OF_64_KIB;
  const sum = flags.checksums ? [Buffer.alloc(4, 0xee)] : [];
  const parts = blocks.flatMap(({ bytes, compressed }) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length + (compressed ? 0 : 0x8000_0000));
    return [size, bytes, ...sum];
  });
  return Buffer.concat([header, ...parts, Buffer.alloc(4), ...sum]);
}

const block = (hex: string) => ({ bytes: Buffer.from(hex, "hex"), compressed: true });
const plainFrame = (...blocks: Parameters<typeof frameOf>[0]) =>
  frameOf(blocks, { checksums: false, contentSize: false });

const literals = fc.uint8Array({ maxLength: 600, size: "max" });
const sequences = fc
  .tuple(
    fc.array(
      fc.record({
        literals,
        match: fc.record({
          back: fc.double({ min: 0, max: 0.999, noNaN: true }),
          length: fc.integer({ min: 4, max: 5_000 }),
        }),
      }),
      { maxLength: 8 },
    ),
    fc.uint8Array({ minLength: 1, maxLength: 600, size: "max" }),
  )
  .map(([some, last]): Sequence[] => [...some, { literals: last }]);
const flags = fc.record({ checksums: fc.boolean(), contentSize: fc.boolean() });

/** Blocks that go on with what the ones before them hold, compressed or not. */
const frames = fc.tuple(fc.array(fc.tuple(sequences, fc.boolean()), { maxLength: 5 }), flags).map(([some, how]) => {
  const plain: number[] = [];
  const blocks = some.map(([each, compressed]) => {
    const { block, plain: more } = blockOf(each, plain);
    plain.push(...more);
    return { bytes: compressed ? block : Buffer.from(more), compressed };
  });
  return { frame: frameOf(blocks, how, plain.length), plain: Buffer.from(plain) };
});

describe("LZ4", () => {
  it("is what its sequences say, byte by byte", () => {
    fc.assert(
      fc.property(frames, ({ frame, plain }) => {
        expect(inflateLz4(frame, MIB).equals(plain)).toBe(true);
        expect(inflateLz4(frame, plain.length).equals(plain)).toBe(true);
      }),
    );
  });

  it("is refused cut off anywhere before its end, and when there is more than the bound in it", () => {
    fc.assert(
      fc.property(frames, fc.double({ min: 0, max: 0.999, noNaN: true }), ({ frame, plain }, where) => {
        expect(() => inflateLz4(frame.subarray(0, Math.floor(where * frame.length)), MIB)).toThrow("is cut off");
        if (plain.length > 0) expect(() => inflateLz4(frame, plain.length - 1)).toThrow("more than");
      }),
    );
  });

  it("is all of its frames, whatever is skippable between them, and refused with anything else behind one", () => {
    const skippable = fc.uint8Array({ maxLength: 40 }).map((bytes) => {
      const head = Buffer.alloc(8);
      head.writeUInt32LE(0x184d2a50 + (bytes.length % 16));
      head.writeUInt32LE(bytes.length, 4);
      return { frame: Buffer.concat([head, bytes]), plain: Buffer.alloc(0) };
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(frames, skippable), { minLength: 1, maxLength: 4 }), (some) => {
        const all = Buffer.concat(some.map(({ frame }) => frame));
        const plain = Buffer.concat(some.map((each) => each.plain));
        expect(inflateLz4(all, MIB).equals(plain)).toBe(true);
        expect(() => inflateLz4(Buffer.concat([all, Buffer.from("behind it")]), MIB)).toThrow("no LZ4 frame");
        if (plain.length > 0) expect(() => inflateLz4(all, plain.length - 1)).toThrow("more than");
      }),
    );
  });

  it("is refused when it holds less than it says", () => {
    const { block: one } = blockOf([{ literals: Buffer.from("abc") }], []);
    const frame = frameOf([{ bytes: one, compressed: true }], { checksums: false, contentSize: true }, 4);
    expect(() => inflateLz4(frame, MIB)).toThrow("an LZ4 frame of 4 bytes holds 3");
  });

  it("ends whatever byte is wrong, within the bound", () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.nat(255), ({ frame }, where, wrong) => {
        const damaged = Buffer.from(frame);
        damaged[where % damaged.length] = wrong;
        try {
          expect(inflateLz4(damaged, MIB).length).toBeLessThanOrEqual(MIB);
        } catch (error) {
          expect((error as Error).name).toBe("Lz4Error");
        }
      }),
    );
  });

  it.each<[string, Buffer, string]>([
    ["another format", Buffer.from("snappy or anything"), "no LZ4 frame"],
    ["a dictionary that nobody has", Buffer.from("04224d18414000ffffffff00000000", "hex"), "flags 65"],
    ["a match before the first byte", plainFrame(block("1061020000")), "2 bytes back, where 1 are"],
    ["literals behind their block", plainFrame(block("4061"), block("2061620000")), "cut off"],
    [
      "a block that is larger than the frame says",
      plainFrame(
        { bytes: Buffer.alloc(4 * BLOCK_BYTES + 1), compressed: false },
        {
          bytes: blockOf([{ literals: Buffer.from("a"), match: { back: 0, length: 64 * BLOCK_BYTES } }], []).block,
          compressed: true,
        },
      ),
      "a block of it than it says",
    ],
  ])("is refused: %s", (_what, frame, why) => {
    expect(() => inflateLz4(frame, 64 * MIB)).toThrow(why);
  });
});

describe("Snappy", () => {
  const chunk = (bytes: Buffer) => {
    const compressed = compress(bytes);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(compressed.length);
    return Buffer.concat([length, compressed]);
  };
  const header = Buffer.from("82534e41505059000000000100000001", "hex");

  it("is read in one piece, as librdkafka writes it, and in chunks, as Java does", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (parts) => {
        const plain = Buffer.concat(parts);
        expect(inflateSnappy(compress(plain), MIB).equals(plain)).toBe(true);
        const chunks = Buffer.concat([header, ...parts.map((part) => chunk(Buffer.from(part)))]);
        expect(inflateSnappy(chunks, plain.length).equals(plain)).toBe(true);
      }),
    );
  });

  it("is refused where it holds another length than it says, or is cut off anywhere", () => {
    const plain = Buffer.from("abcdefgh".repeat(500));
    const piece = Buffer.from(compress(plain));
    for (let end = 0; end < piece.length; end++) expect(() => inflateSnappy(piece.subarray(0, end), MIB)).toThrow();
    const literal = Buffer.from([6, (2 << 2) | 0, 97, 98, 99]);
    expect(() => inflateSnappy(literal, MIB)).toThrow("a snappy piece of 6 bytes holds 3");
    const chunks = Buffer.concat([header, chunk(plain), chunk(plain)]);
    const bounds = new Set([header.length, header.length + chunk(plain).length]);
    for (let end = 0; end < chunks.length; end++) {
      // A chunk has no successor by which its absence could be seen; the record batch around it has a length and a CRC.
      if (end === 0 || bounds.has(end)) continue;
      expect(() => inflateSnappy(chunks.subarray(0, end), MIB)).toThrow();
    }
  });

  it("is refused when it is cut off, or more than the bound", () => {
    const chunks = Buffer.concat([header, chunk(Buffer.alloc(5_000, "a")), chunk(Buffer.alloc(5_000, "b"))]);
    expect(inflateSnappy(chunks, 10_000)).toHaveLength(10_000);
    expect(() => inflateSnappy(chunks.subarray(0, -1), 10_000)).toThrow("cut off");
    expect(() => inflateSnappy(chunks, 9_999)).toThrow("too big");
    expect(() => inflateSnappy(compress(Buffer.alloc(5_000)), 4_999)).toThrow("too big");
  });
});
