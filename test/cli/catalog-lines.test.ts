// SPDX-License-Identifier: Apache-2.0
/** The lines of catalog files: CSV is read as csv-parse reads it as a whole, wherever quotes and blocks lie. */
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { type CatalogLine, csvLines, jsonLines } from "../../cli/reading/catalog-lines";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-lines-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function linesOf(
  content: string | Buffer,
  read: typeof csvLines,
  highWaterMark = 1 << 16,
): Promise<CatalogLine[]> {
  const file = join(folder, "file");
  writeFileSync(file, content);
  const lines: CatalogLine[] = [];
  for await (const some of read(createReadStream(file, { highWaterMark }))) lines.push(...some);
  return lines;
}

const field = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[a-zé ]{0,6}$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z,"\n ]{0,8}$/).map((text) => `"${text.replaceAll('"', '""')}"`) },
);
const row = fc.tuple(field, field, field).map((fields) => fields.join(","));

it("CSV is read as csv-parse reads the whole file, with the line of every record", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 30 }),
      fc.constantFrom("\n", "\r\n", "\n\n"),
      fc.integer({ min: 1, max: 40 }),
      async (rows, end, highWaterMark) => {
        const content = `\uFEFFa,b,c${end}${rows.map((text) => text + end).join("")}`;
        type Row = { record: Record<string, string>; info: { lines: number } };
        const options = { columns: true, bom: true, trim: true, skip_empty_lines: true, info: true };
        const expected = (parse(content, options) as unknown as Row[]).map(({ record }) =>
          Object.fromEntries(Object.entries(record).filter(([, text]) => text !== "")),
        );
        const found = await linesOf(content, csvLines, highWaterMark);
        expect(found.map(({ value }) => value)).toEqual(expected);
        const starts = content.split("\n");
        let at = 0;
        for (const [index, { line }] of found.entries()) {
          expect(line).toBeGreaterThan(at);
          expect(starts[line - 1]!.trim()).toBe(rows[index]!.split("\n")[0]!.trim());
          at = line;
        }
      },
    ),
    { numRuns: 200 },
  );
});

it.each([
  ["a quote in the midst of a field", 'a,b\n1,2\n3,5" disc "', 3],
  ["text behind a closing quote", 'a,b\n"1",2\n"3"x,4\n"5",6\n', 3],
  ["a quote that stays open", 'a,b\n1,"2\n3,4\n5,6\n', 2],
  ["a row of fewer fields", "a,b\n1,2\n3\n", 3],
  ["lines that end by CR alone", "a,b\r1,2\r", 1],
  ["a column that stands twice", "a,b,a\n1,2,3\n", 1],
  ["a column that stands twice, below a blank line", "\n a ,b,a\n1,2,3\n", 2],
  ["a first line that is not UTF-8", Buffer.from("a,\xe9\n1,2\n", "latin1"), 1],
  ["a line beyond the bound", `a,b\n1,2\n${"x".repeat(70_000)},2\n`, 3],
  ["an open quote beyond the bound", `a,b\n1,"2\n${"x\n".repeat(40_000)}`, 2],
])("%s ends the file with an error that names the line", async (_, content, line) => {
  await expect(linesOf(content, csvLines)).rejects.toThrow(new RegExp(`, line ${line}$`));
});

it("NDJSON: a broken line and a line beyond the bound are named, the others are read", async () => {
  const content = `\uFEFF{"a":1}\n\n{"a":\n{"a":"${"x".repeat(70_000)}"}\n{"a":2}`;
  const found = await linesOf(content, jsonLines);
  expect(found.map(({ line, value, broken }) => [line, value, broken !== undefined])).toEqual([
    [1, { a: 1 }, false],
    [3, undefined, true],
    [4, undefined, true],
    [5, { a: 2 }, false],
  ]);
});

it("the error of a column that stands twice names it; columns without a name may be many", async () => {
  await expect(linesOf("videoId,title,videoId\n", csvLines)).rejects.toThrow("the column videoId stands twice, line 1");
  expect(await linesOf("a,,\n1,2,3\n", csvLines)).toMatchObject([{ line: 2, value: { a: "1" } }]);
});

it.each([1, 5, 1 << 16])("lines that are not UTF-8 are named, the others are read: blocks of %i", async (size) => {
  const csv = Buffer.from('a,b\n1,caf\xe9\n2,x\n\n3,"\xc3\ny"\n4,"z\n\xff"\n5,"p\nq"\n6,\xc3\xa9\n7,\xff', "latin1");
  const named = (lines: CatalogLine[]) => lines.map(({ line, value, broken }) => broken ?? [line, value]);
  const bad = "the line is not UTF-8";
  const good = [
    [3, { a: "2", b: "x" }],
    [9, { a: "5", b: "p\nq" }],
    [11, { a: "6", b: "é" }],
  ];
  expect(named(await linesOf(csv, csvLines, size))).toEqual([bad, good[0], bad, bad, good[1], good[2], bad]);
  expect((await linesOf(csv, csvLines, size)).map(({ line }) => line)).toEqual([2, 3, 5, 7, 9, 11, 12]);
  const json = Buffer.from('{"a":"\xff"}\n{"a":"\xc3\xa9"}\n{"a":"\xc3"}', "latin1");
  expect(named(await linesOf(json, jsonLines, size))).toEqual([bad, [2, { a: "é" }], bad]);
});
