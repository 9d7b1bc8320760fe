// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  ID_BYTES,
  isHashedIdBytes,
  isUuidBytes,
  uuidText,
  writeEventId,
  writeUuidText,
} from "../../domain/event-identity";
import { printable } from "./model";

function identity(eventId: string): { uuid: boolean; bytes: Uint8Array } {
  const bytes = new Uint8Array(ID_BYTES + 2);
  const uuid = writeEventId(eventId, bytes, 1);
  expect([bytes[0], bytes[ID_BYTES + 1]]).toEqual([0, 0]);
  return { uuid, bytes: bytes.slice(1, ID_BYTES + 1) };
}

const hex = (eventId: string) => Buffer.from(identity(eventId).bytes).toString("hex");

test("a canonical UUID is its own bytes, and the text comes back", () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      const { uuid, bytes } = identity(id);
      expect(uuid).toBe(true);
      expect(uuidText(bytes, 0)).toBe(id);
      expect([isUuidBytes(bytes, 0), isHashedIdBytes(bytes, 0)]).toEqual([true, false]);
    }),
  );
});

test.each([
  ["an upper-case UUID", "0190A0A0-0000-7000-8000-00000000000A"],
  ["a UUID with one upper-case digit", "0190a0a0-0000-7000-8000-00000000000A"],
  ["the nil UUID", "00000000-0000-0000-0000-000000000000"],
  ["the max UUID", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  ["a UUID of version 9", "0190a0a0-0000-9000-8000-000000000001"],
  ["a UUID of Microsoft's variant", "0190a0a0-0000-7000-c000-000000000001"],
  ["a UUID without hyphens", "0190a0a0000070008000000000000001"],
  ["36 characters with hyphens elsewhere", "0190a0a00-000-7000-8000-000000000001"],
  ["36 characters that are no hex", "g190a0a0-0000-7000-8000-000000000001"],
  ["a UUID in braces", "{190a0a0-0000-7000-8000-000000000001"],
  ["one character", "x"],
])("%s is hashed", (_what, id) => {
  const { uuid, bytes } = identity(id);
  expect(uuid).toBe(false);
  expect([isUuidBytes(bytes, 0), isHashedIdBytes(bytes, 0)]).toEqual([false, true]);
});

test("upper and lower case of a UUID are two ids", () => {
  const id = "0190a0a0-0000-7000-8000-00000000000a";
  expect(hex(id)).not.toBe(hex(id.toUpperCase()));
});

test("a hash is the first half of SHA-256 with its variant bits set: archives hold it for ever", () => {
  const expected = createHash("sha256").update("order-4711").digest().subarray(0, ID_BYTES);
  expected[8]! |= 0xc0;
  expect(hex("order-4711")).toBe(expected.toString("hex"));
});

test("a UUID and a hashed id never collide: their variant bits differ", () => {
  fc.assert(
    fc.property(fc.uuid(), printable, (uuid, other) => {
      const [a, b] = [identity(uuid), identity(other)];
      if (!b.uuid) expect(a.bytes[8]! >>> 6).not.toBe(b.bytes[8]! >>> 6);
    }),
  );
});

test("different ids have different identities", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.oneof(printable, fc.uuid()), { minLength: 2, maxLength: 40 }), (ids) => {
      expect(new Set(ids.map(hex)).size).toBe(ids.length);
    }),
  );
});

test("the text of 36 bytes is read as the string is", () => {
  const anyText = fc.oneof(fc.uuid(), fc.stringMatching(/^[0-9a-f-]{36}$/));
  fc.assert(
    fc.property(anyText, (text) => {
      const bytes = new Uint8Array(ID_BYTES);
      expect(writeUuidText(Buffer.from(`..${text}`, "latin1"), 2, bytes, 0)).toBe(identity(text).uuid);
    }),
  );
});
