// SPDX-License-Identifier: Apache-2.0
import { CRC32C } from "@google-cloud/storage";
import fc from "fast-check";
import { crc32cText } from "../../../io/gcs/crc32c";

it("computes CRC-32C as Google's own library does, at any length and offset", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 20 }), (bytes, offset) => {
      const view = bytes.subarray(Math.min(offset, bytes.length));
      const theirs = new CRC32C();
      theirs.update(Buffer.from(view));
      expect(crc32cText(view)).toBe(theirs.toString());
    }),
  );
});
