// SPDX-License-Identifier: Apache-2.0
/** Numbers and positions of lines: those of the file in a reject file, those of the service in its answers. */
import fc from "fast-check";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { lineBlocks } from "../../intake/line-blocks";
import { linesOf } from "../../intake/lines";
import { takeNdjson } from "../../intake/take-lines";
import { T0 } from "../domain/model";

const piece = fc.constantFrom("\n", "\r\n", "", " ", "\t", "\ufeff", "{oops", "é", "x".repeat(30));
const content = fc
  .tuple(fc.boolean(), fc.array(piece, { maxLength: 30 }))
  .map(([mark, pieces]) => Buffer.from(`${mark ? "\ufeff" : ""}${pieces.join("")}`));

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("lines that are sent in blocks are those that the service counts, with the numbers of the file", async () => {
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      async (bytes, size, maxLines) => {
        const text = bytes.toString();
        const expected = text
          .split("\n")
          .map((each, index) => ({ number: index + 1, text: each.replace(/\r$/, "").replace(/^\ufeff/, "") }))
          .filter((each) => /[^ \t\r]/.test(each.text));
        const seen: { number: number; text: string }[] = [];
        for await (const block of lineBlocks(chunksOf(bytes, size), { maxLines, maxLineBytes: 1_000 })) {
          if ("oversize" in block) throw new Error("no line is that long");
          const lines = linesOf(block.bytes, block.firstLine);
          const taken = takeNdjson(block.bytes, {
            receivedAtMs: T0,
            rawRetentionMs: 1,
            limits: CONTRACT_LIMITS,
            untimed: { kind: "receipt" },
          });
          if (taken.kind !== "events") throw new Error(taken.kind);
          const payloads = taken.rejected.map(({ payload }) => Buffer.from(payload).toString());
          expect(payloads).toEqual(lines.map((line) => line.bytes.toString()));
          seen.push(...lines.map((line) => ({ number: line.number, text: line.bytes.toString() })));
        }
        expect(seen).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});
