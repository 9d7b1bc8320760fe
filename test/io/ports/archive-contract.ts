// SPDX-License-Identifier: Apache-2.0
/** The contract of every Archive. */
import type { Archive } from "../../../io/ports";

interface ArchiveUnderTest {
  /** An empty archive. */
  open(): Promise<Archive>;
}

const minuteOf = (text: string) => Date.parse(text) / 60_000;

export function archiveContract(describeName: string, subject: ArchiveUnderTest): void {
  describe(`${describeName} keeps the contract of Archive`, () => {
    let archive: Archive;
    beforeEach(async () => {
      archive = await subject.open();
    });

    it("names an object by its minute, and reads it back whole", async () => {
      const content = Uint8Array.from({ length: 100_000 }, (_, n) => n % 251);
      const minute = minuteOf("2026-11-21T10:03:00Z");
      const written = await archive.write(minute, "w-1.avro", content);
      const name = "date=2026-11-21/hour=10/minute=03/w-1.avro";
      expect(written).toEqual({ name, minute, sizeBytes: 100_000 });
      expect(Buffer.compare(await archive.read(name), content)).toBe(0);
      await archive.write(minute, "empty.avro", new Uint8Array());
      expect((await archive.read("date=2026-11-21/hour=10/minute=03/empty.avro")).byteLength).toBe(0);
    });

    it("replaces an object that is written again, whole", async () => {
      await archive.write(5, "a.avro", Buffer.from("a longer first content"));
      const second = await archive.write(5, "a.avro", Buffer.from("second"));
      expect(await archive.list(5, 6)).toMatchObject([second]);
      expect(Buffer.from(await archive.read(second.name)).toString()).toBe("second");
    });

    it("lists objects by minute, then name, over hours, days, years and leap days", async () => {
      const times = ["1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z", "2023-12-31T23:59:00Z", "2024-01-01T00:00:00Z"];
      const minutes = [...times, "2024-02-29T23:59:00Z", "2024-03-01T00:00:00Z", "2024-03-01T01:00:00Z"].map(minuteOf);
      for (const minute of minutes.toReversed()) {
        for (const file of ["b.avro", "a-10.avro", "a-9.avro"]) await archive.write(minute, file, Buffer.from(file));
      }
      for (const from of minutes) {
        for (const to of [...minutes, minuteOf("2025-01-01T00:00:00Z")]) {
          const expected = minutes.filter((minute) => minute >= from && minute < to);
          expect(await archive.minutes(from, to)).toEqual(expected);
          const listed = (await archive.list(from, to)).map(({ minute, name }) => `${minute} ${name.split("/")[3]}`);
          expect(listed).toEqual(expected.flatMap((m) => [`${m} a-10.avro`, `${m} a-9.avro`, `${m} b.avro`]));
        }
      }
    });

    it("takes many objects at once", async () => {
      const writes = Array.from({ length: 200 }, (_, n) => archive.write(n % 7, `w-${n}.avro`, Buffer.from(`${n}`)));
      const written = await Promise.all(writes);
      expect(await archive.list(0, 7)).toHaveLength(200);
      for (const { name } of written) {
        expect(`w-${Buffer.from(await archive.read(name)).toString()}.avro`).toBe(name.split("/")[3]);
      }
    });

    it("refuses names that leave their folder or are none", async () => {
      for (const bad of ["../x.avro", "a/b.avro", "", ".avro", "x.txt", "..", "x\0.avro", ".hidden.avro"]) {
        await expect(archive.write(5, bad, new Uint8Array(1)), bad).rejects.toThrow(RangeError);
        await expect(archive.read(`date=1970-01-01/hour=00/minute=05/${bad}`), bad).rejects.toThrow(RangeError);
      }
      for (const bad of ["../../etc/passwd", "date=1970-02-30/hour=00/minute=05/a.avro", "/etc/a.avro", "a.avro"]) {
        await expect(archive.read(bad), bad).rejects.toThrow(RangeError);
      }
      await expect(archive.write(0.5, "a.avro", new Uint8Array(1))).rejects.toThrow(RangeError);
      await expect(archive.write(1e15, "a.avro", new Uint8Array(1))).rejects.toThrow(RangeError);
    });

    it("is empty where nothing was written", async () => {
      expect(await archive.list(-1e6, 1e8)).toEqual([]);
      expect(await archive.minutes(5, 5)).toEqual([]);
      await expect(archive.read("date=1970-01-01/hour=00/minute=05/a.avro")).rejects.toThrow();
    });
  });
}
