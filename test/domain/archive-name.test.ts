// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  archiveObjectName,
  FIRST_MINUTE,
  isBackfilled,
  LAST_MINUTE,
  minuteFolder,
  parseArchiveObjectName,
} from "../../domain/archive-name";

const minutes = fc.integer({ min: FIRST_MINUTE, max: LAST_MINUTE });
const files = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/).map((name) => `${name}.avro`);

test("a name says its minute of event time in UTC, and is read as what it was made of", () => {
  expect(archiveObjectName(Date.UTC(2026, 10, 21, 10, 3) / 60_000, "w-1.avro")).toBe(
    "date=2026-11-21/hour=10/minute=03/w-1.avro",
  );
  fc.assert(
    fc.property(minutes, files, (minute, fileName) => {
      fc.pre(fileName.length <= 205);
      expect(parseArchiveObjectName(archiveObjectName(minute, fileName))).toEqual({ minute, fileName });
    }),
  );
});

test("the years 1 and 9999 have folders, the minutes before and behind have none", () => {
  expect(minuteFolder(FIRST_MINUTE)).toBe("date=0001-01-01/hour=00/minute=00");
  expect(minuteFolder(LAST_MINUTE)).toBe("date=9999-12-31/hour=23/minute=59");
  for (const minute of [FIRST_MINUTE - 1, LAST_MINUTE + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => minuteFolder(minute), String(minute)).toThrow(/^minute \S+ has no folder in the archive$/);
});

test.each([
  "",
  "a",
  ".avro",
  "-a.avro",
  "_a.avro",
  "a b.avro",
  "a/b.avro",
  "../a.avro",
  "a.avro.gz",
  "a.avroo",
  "ä.avro",
  "a.avro\n",
  `${"a".repeat(201)}.avro`,
])("no object has the file name %j", (fileName) => {
  expect(() => archiveObjectName(0, fileName)).toThrow(/is not a name of an archive object/);
  expect(parseArchiveObjectName(`date=1970-01-01/hour=00/minute=00/${fileName}`)).toBeUndefined();
});

test("an error names at most 80 characters of a file name", () => {
  expect(() => archiveObjectName(0, "x".repeat(300))).toThrow(`"${"x".repeat(80)}" is not`);
});

test.each([
  "date=2026-02-30/hour=10/minute=03/a.avro",
  "date=2026-13-01/hour=10/minute=03/a.avro",
  "date=2026-11-21/hour=24/minute=00/a.avro",
  "date=2026-11-21/hour=10/minute=60/a.avro",
  "date=2026-11-21/hour=1/minute=03/a.avro",
  "date=2026-11-21/hour=10/minute=3/a.avro",
  "date=0000-01-01/hour=00/minute=00/a.avro",
  "date=12026-11-21/hour=10/minute=03/a.avro",
  "date=2026-11-21/hour=10/minute=03/b/a.avro",
  "date=2026-11-21/hour=10/minute=03/../a.avro",
  "/date=2026-11-21/hour=10/minute=03/a.avro",
  "x/date=2026-11-21/hour=10/minute=03/a.avro",
  "date=2026-11-21/hour=10/minute=03/a.avro/",
])("%s is no object of the archive", (name) => {
  expect(parseArchiveObjectName(name)).toBeUndefined();
});

test("an object is of a backfill where its file name begins with that writer's name", () => {
  expect(isBackfilled(archiveObjectName(0, "backfill-1.avro"))).toBe(true);
  expect(isBackfilled(archiveObjectName(0, "w-backfill-1.avro"))).toBe(false);
  expect(isBackfilled(archiveObjectName(0, "backfilled.avro"))).toBe(false);
});
