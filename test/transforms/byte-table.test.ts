// SPDX-License-Identifier: Apache-2.0
import { hashOf } from "../../transforms/byte-table";

test("texts that are chosen without the seed do not share hashes", () => {
  // With public factors alone the two have one hash after eight bytes, for half of all states before them.
  const pieces = ["0AAA1BBB", "0AAQ1bBR"];
  const texts = Array.from({ length: 4_096 }, (_, n) =>
    Buffer.from(Array.from({ length: 12 }, (_, bit) => pieces[(n >> bit) & 1]!).join("")),
  );
  for (let seed = 1; seed < 2 ** 31; seed += 100_000_007) {
    const hashes = new Set(texts.map((text) => hashOf(text, 0, text.length, seed)));
    expect(hashes.size).toBeGreaterThan(texts.length * 0.99);
  }
});
