// SPDX-License-Identifier: Apache-2.0
/** Objects of an hour in one file: whoever lists and reads finds what was written, before, after and in between. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { VideoEvent } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { DirectoryArchive } from "../../../io/directory/archive";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import type { Archive } from "../../../io/ports";
import { columnsOf } from "../../domain/model";
import { archiveObject } from "../formats/avro/events";
import { removeFolders, temporaryFolder } from "../ports/condition";

afterEach(removeFolders);

const HOUR = 494_000;
let events = 0;

function objectOf(minute: number, fileName: string, rows: number): Buffer {
  const own: VideoEvent[] = Array.from({ length: rows }, (_, n) => ({
    eventId: `event-${++events}`,
    videoId: `v${n % 3}`,
    eventType: "VIEW",
    eventTimeMs: minute * MINUTE_MS + n,
  }));
  return archiveObject(fileName, columnsOf(own), minute * MINUTE_MS);
}

type Step =
  | { kind: "write"; minute: number; file: string; rows: number }
  | { kind: "pack"; hour: number }
  | { kind: "remove"; minute: number; file: string };

const minute = fc.integer({ min: HOUR * 60, max: HOUR * 60 + 121 });
const file = fc.constantFrom("a.avro", "b-1.avro", "backfill-9.avro");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), minute, file, rows: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pack" as const), hour: fc.constantFrom(HOUR, HOUR + 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), minute, file }) },
);

/** What the archive must answer: by name, the content that was written last. */
async function expectSame(archive: Archive, model: ReadonlyMap<string, { minute: number; content: Buffer }>) {
  const listed = await archive.list(HOUR * 60, (HOUR + 3) * 60);
  const sizes = listed.map(({ name, sizeBytes }) => [name, sizeBytes]);
  const names = [...model].sort(([a, { minute: m }], [b, { minute: n }]) => m - n || (a < b ? -1 : 1));
  expect(sizes).toEqual(names.map(([name, { content }]) => [name, content.length]));
  for (const [name, { content }] of model) expect(Buffer.compare(await archive.read(name), content)).toBe(0);
  const minutes = [...new Set([...model.values()].map((one) => one.minute))].sort((a, b) => a - b);
  expect(await archive.minutes(HOUR * 60, (HOUR + 3) * 60)).toEqual(minutes);
}

describe("a packed archive", () => {
  it("is the archive that it was before, whatever is written, packed and removed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const folder = temporaryFolder();
        const archive = new DirectoryArchive({ folder });
        // Of another process, which remembers indexes.
        const reader = new DirectoryArchive({ folder });
        const model = new Map<string, { minute: number; content: Buffer }>();
        for (const one of steps) {
          if (one.kind === "pack") await archive.packing.pack(one.hour);
          else if (one.kind === "write") {
            const content = objectOf(one.minute, one.file, one.rows);
            const { name } = await archive.write(one.minute, one.file, content);
            model.set(name, { minute: one.minute, content });
          } else {
            const name = [...model].find(([, each]) => each.minute === one.minute)?.[0];
            await archive.remove(name === undefined ? [] : [name]);
            model.delete(name ?? "");
          }
          await expectSame(reader, model);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("is one file an hour, which any reader of Avro takes for the events of the hour", async () => {
    const folder = temporaryFolder();
    const archive = new DirectoryArchive({ folder });
    for (let n = 0; n < 40; n++) {
      const at = HOUR * 60 + (n % 7);
      await archive.write(at, `w-${n}.avro`, objectOf(at, `w-${n}.avro`, 5));
    }
    const writtenAt = (await archive.list(HOUR * 60, HOUR * 60 + 60)).map(({ writtenAtMs }) => writtenAtMs);
    expect(await archive.packing.looseHours(HOUR + 1)).toEqual([HOUR]);
    expect(await archive.packing.looseHours(HOUR)).toEqual([]);
    expect(await archive.packing.pack(HOUR)).toBe(40);
    expect(await archive.packing.looseHours(HOUR + 1)).toEqual([]);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name)).toEqual(["packed.avro"]);
    expect((await archive.list(HOUR * 60, HOUR * 60 + 60)).map(({ writtenAtMs }) => writtenAtMs)).toEqual(writtenAt);
    let rows = 0;
    const pack = readFileSync(join(files[0]!.parentPath, "packed.avro"));
    for (const { columns } of readArchiveObject(pack)) rows += columns.count;
    expect(rows).toBe(200);
  });

  it("leaves what is damaged outside of the pack, and says when the pack itself is damaged", async () => {
    const folder = temporaryFolder();
    const archive = new DirectoryArchive({ folder });
    const damaged = objectOf(HOUR * 60, "damaged.avro", 3);
    damaged[damaged.length - 1] = damaged.at(-1)! ^ 1;
    await archive.write(HOUR * 60, "damaged.avro", damaged);
    await archive.write(HOUR * 60, "not-avro.avro", Buffer.from("not Avro"));
    const good = await archive.write(HOUR * 60, "good.avro", objectOf(HOUR * 60, "good.avro", 3));
    expect(await archive.packing.pack(HOUR)).toBe(1);
    expect((await archive.list(HOUR * 60, HOUR * 60 + 1)).map(({ name }) => name.split("/")[3])).toEqual([
      "damaged.avro",
      "good.avro",
      "not-avro.avro",
    ]);
    const pack = join(folder, good.name, "..", "..", "packed.avro");
    const bytes = readFileSync(pack);
    expect(statSync(pack).size).toBe(bytes.length);
    bytes[bytes.length - 20] = bytes.at(-20)! ^ 1;
    writeFileSync(pack, bytes);
    const rows = async () => [...readArchiveObject(await new DirectoryArchive({ folder }).read(good.name))];
    await expect(rows()).rejects.toThrow();
    bytes.fill(0, 0, 200);
    writeFileSync(pack, bytes);
    await expect(new DirectoryArchive({ folder }).list(HOUR * 60, HOUR * 60 + 1)).rejects.toThrow(
      /packed.avro is damaged/,
    );
  });
});
