// SPDX-License-Identifier: Apache-2.0
/** What every RollUpFolder promises. */
import type { RollUpFolder } from "../../../io/ports";

export function rollUpFolderContract(describeName: string, subject: { open(): Promise<RollUpFolder> }): void {
  describe(`${describeName} keeps the contract of RollUpFolder`, () => {
    it("gives back whole files and parts of them, replaces, lists below a folder, and removes", async () => {
      const folder = await subject.open();
      const content = Uint8Array.from({ length: 5_000 }, (_, n) => n % 251);
      await folder.write("hour/date=2026-10-01/a.parquet", Buffer.from("before"));
      await folder.write("hour/date=2026-10-01/a.parquet", content);
      await folder.write("hour/date=2026-10-01/b-0-of-1.parquet", Buffer.from("b"));
      await folder.write("hour/date=2026-10-011/c.parquet", Buffer.from("c"));
      const bytes = (await folder.open("hour/date=2026-10-01/a.parquet"))!;
      expect(bytes.byteLength).toBe(5_000);
      expect(new Uint8Array(await bytes.slice(0))).toEqual(content);
      expect(new Uint8Array(await bytes.slice(7, 9))).toEqual(content.slice(7, 9));
      expect((await folder.names("hour/date=2026-10-01")).sort()).toEqual([
        "hour/date=2026-10-01/a.parquet",
        "hour/date=2026-10-01/b-0-of-1.parquet",
      ]);
      await folder.remove("hour/date=2026-10-01/a.parquet");
      await folder.remove("hour/date=2026-10-01/a.parquet");
      expect(await folder.open("hour/date=2026-10-01/a.parquet")).toBeUndefined();
      expect(await folder.names("hour/date=2026-10-01")).toEqual(["hour/date=2026-10-01/b-0-of-1.parquet"]);
      expect(await folder.names("hour/date=1999-01-01")).toEqual([]);
    });
  });
}
