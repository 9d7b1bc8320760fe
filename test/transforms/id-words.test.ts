// SPDX-License-Identifier: Apache-2.0
/** Ids as the audit compares them: a UUID in lower case is its 16 bytes, any other id is its text. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { hashOf } from "../../transforms/byte-table";
import { hashOfId, hashOfWords, readUuid, wordSeeds } from "../../transforms/id-words";

const words = new Uint32Array(4);
/** The id between other bytes that could belong to one. */
const padded = (id: string, before = "ab-", after = "-cd") => Buffer.from(`${before}${id}${after}`, "latin1");
const isRead = (id: string) => readUuid(padded(id), 3, 3 + id.length, words);

test("the words of a UUID are its bytes, wherever its text begins", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.string({ maxLength: 9 }), (bytes, before) => {
      const id = Buffer.from(bytes)
        .toString("hex")
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
      const text = padded(id, before);
      const from = text.length - 3 - id.length;
      expect(readUuid(text, from, from + id.length, words)).toBe(true);
      expect([...words]).toEqual([0, 4, 8, 12].map((at) => Buffer.from(bytes).readUInt32BE(at)));
    }),
  );
});

test("an id with another length, another character anywhere, or capitals is a text", () => {
  const id = randomUUID();
  expect(isRead(id)).toBe(true);
  for (let at = 0; at < id.length; at++) {
    for (const other of id[at] === "-" ? "0a_" : "g`/:-AF\u00ff") {
      expect(isRead(id.slice(0, at) + other + id.slice(at + 1))).toBe(false);
    }
  }
  for (const other of [`${id}0`, id.slice(1), id.slice(0, -1), id.replaceAll("-", ""), ""])
    expect(isRead(other)).toBe(false);
});

test("an id is hashed by its words where it has some, and else by its bytes", () => {
  const [id, other] = [padded("0192d5a0-7c3e-7abc-8def-0123456789af"), padded("event-1")];
  const hash = hashOfWords(wordSeeds(7), 0x0192_d5a0, 0x7c3e_7abc, 0x8def_0123, 0x4567_89af);
  expect(hashOfId(id, 3, 39, 7)).toBe(hash);
  expect(hashOfId(other, 3, 10, 7)).toBe(hashOf(Buffer.from("event-1"), 0, 7, 7));
});
