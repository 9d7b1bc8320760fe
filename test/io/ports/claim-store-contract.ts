// SPDX-License-Identifier: Apache-2.0
/** The contract of every ClaimStore. */
import { randomBytes, randomUUID } from "node:crypto";
import { ClaimMissingError, type ClaimStore } from "../../../io/ports";

interface ClaimStoreUnderTest {
  /** Over the same store at every call of one test. */
  open(): Promise<ClaimStore>;
}

export const claimName = (): string => `date=2026-11-21/hour=10/minute=03/${randomUUID()}.avro`;

export function claimStoreContract(describeName: string, subject: ClaimStoreUnderTest): void {
  describe(`${describeName} keeps the contract of ClaimStore`, () => {
    it("gives a claim back byte for byte, also to another process", async () => {
      const claims = await subject.open();
      const [large, small, empty] = [randomBytes(3_000_000), Buffer.from("small"), new Uint8Array()];
      const names = [claimName(), claimName(), claimName()] as const;
      await Promise.all([large, small, empty].map((content, n) => claims.write(names[n]!, content)));
      const other = await subject.open();
      for (const store of [claims, other]) {
        for (const [n, content] of [large, small, empty].entries()) {
          expect(Buffer.compare(await store.read(names[n]!), content)).toBe(0);
        }
      }
    });

    it("takes the same claim again, as a writer without an answer sends it", async () => {
      const claims = await subject.open();
      const name = claimName();
      await claims.write(name, Buffer.from("a batch"));
      await claims.write(name, Buffer.from("a batch"));
      expect(Buffer.from(await claims.read(name)).toString()).toBe("a batch");
    });

    it("says that there is no such claim", async () => {
      const claims = await subject.open();
      await claims.write(claimName(), Buffer.from("another"));
      await expect(claims.read(claimName())).rejects.toThrow(ClaimMissingError);
      await expect(claims.read("date=2020-01-01/hour=00/minute=00/a.avro")).rejects.toThrow(ClaimMissingError);
    });

    it("refuses names that lead elsewhere", async () => {
      const claims = await subject.open();
      for (const bad of ["", "a.avro", "../a.avro", "date=2026-11-21/hour=10/minute=03/../../a.avro", "/etc/passwd"]) {
        await expect(claims.write(bad, new Uint8Array(1)), bad).rejects.toThrow(RangeError);
        await expect(claims.read(bad), bad).rejects.toThrow(RangeError);
      }
    });
  });
}
