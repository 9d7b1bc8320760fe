// SPDX-License-Identifier: Apache-2.0
/** A file of cells whose bytes have changed is an error to its readers, and no other number. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DirectoryRollUps } from "../../../../io/directory/roll-up-folder";
import { CellColumns } from "../../../../io/formats/parquet/cell-columns";
import { CellFile, encodeCells } from "../../../../io/formats/parquet/cell-file";
import { type RollUp, StoreUnavailableError } from "../../../../io/ports";
import { RollUpReader } from "../../../../io/tiers/roll-up-reader";
import { removeFolders, temporaryFolder } from "../../ports/condition";

const HOUR = 3_600_000;
const T = Date.parse("2026-10-01T00:00:00Z");
/** With which every frame of zstd begins. */
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

function someCells(): CellColumns {
  const cells = new CellColumns();
  for (let n = 0; n < 1_200; n++) {
    cells.add({
      ...{ videoId: `v${Math.floor(n / 20)}`, eventType: n % 3 === 0 ? "LIKE" : "VIEW", startMs: T + (n % 20) * HOUR },
      ...{ count: 1 + ((n * 7_919) % 1_000), valued: n % 10, sum: BigInt((n * 104_729) % 1_000_003), revision: n % 3 },
    });
  }
  return cells;
}

const inMemory = (content: Uint8Array) => ({
  byteLength: content.length,
  slice: async (from: number, to = content.length) => Uint8Array.from(content.subarray(from, to)).buffer,
});
const cellsOf = (columns: CellColumns) => Array.from({ length: columns.length }, (_, row) => columns.cell(row));
const read = async (content: Uint8Array) => cellsOf(await (await CellFile.open(inMemory(content))).all());

/** Where the frames of a file's pages have their content. */
function framesOf(content: Uint8Array): number[] {
  const frames: number[] = [];
  const bytes = Buffer.from(content);
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) frames.push(at + MAGIC.length);
  return frames;
}

it("a byte of any page that has changed is an error, and never another number", async () => {
  const content = await encodeCells(someCells());
  const right = await read(content);
  expect(right).toHaveLength(1_200);
  const frames = framesOf(content);
  expect(frames.length).toBeGreaterThan(8);
  let errors = 0;
  for (const frame of frames) {
    for (const offset of [4, 5, 6, 7, 12, 20]) {
      const changed = Uint8Array.from(content);
      changed[frame + offset]! ^= 1 << (offset % 8);
      const cells = await read(changed).catch(() => {
        errors++;
        return right;
      });
      expect(cells).toEqual(right);
    }
  }
  expect(errors).toBeGreaterThan(frames.length);
});

it("a reader of a damaged file is told which one, as of a store that cannot be read", async () => {
  const folder = temporaryFolder();
  const content = await encodeCells(someCells());
  const rollUps = new DirectoryRollUps({ folder });
  await rollUps.write("cells.parquet", content);
  const range = { level: "hour", fromMs: T, toMs: T + 24 * HOUR } as const;
  const rollUp: RollUp = {
    ...{ ...range, name: "cells.parquet", part: 0, parts: 1, cells: 1_200, sizeBytes: content.length, sha256: "" },
  };
  const asked = { ...range, videoId: "v7", eventType: "VIEW" };
  expect((await new RollUpReader(rollUps).cells([rollUp], asked)).length).toBeGreaterThan(0);
  const file = join(folder, "cells.parquet");
  const bytes = readFileSync(file);
  for (const frame of framesOf(bytes)) bytes[frame + 5]! ^= 0xff;
  writeFileSync(file, bytes);
  const damaged = new RollUpReader(rollUps).cells([rollUp], asked);
  await expect(damaged).rejects.toBeInstanceOf(StoreUnavailableError);
  await expect(damaged).rejects.toThrow(/cells\.parquet cannot be read/);
  removeFolders();
});
