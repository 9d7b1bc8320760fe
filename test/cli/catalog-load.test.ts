// SPDX-License-Identifier: Apache-2.0
/** `catalog load`: which lines are loaded, which are rejected, and how the command ends. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CATALOG_FILE, SqliteCatalog } from "../../io/sqlite/catalog";

const MAIN = join(__dirname, "..", "..", "cli", "main.js");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-load-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(name: string, content: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = join(folder, name);
  writeFileSync(file, content);
  return new Promise((resolve) => {
    const args = [MAIN, "catalog", "load", file, "--data", join(folder, "data"), "--json"];
    const child = execFile(process.execPath, args, { env: { PATH: process.env.PATH ?? "" } }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

async function loaded() {
  const catalog = new SqliteCatalog(join(folder, "data", CATALOG_FILE));
  const known = await catalog.videos(["v1", "v2", "v3"], 0);
  await catalog.close();
  return Object.fromEntries(known);
}

it("a CSV file: quoted fields, empty fields that say nothing, bad lines that take no other down", async () => {
  const lines = [
    "\uFEFFvideoId,title,channelId,more",
    'v1,"A, ""quoted"" title",c1,x',
    "v2,,c1,",
    "bad id,T,c1,",
    "v3,,,",
  ];
  const { code, stdout } = await load("videos.csv", `${lines.join("\r\n")}\r\n`);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ loaded: 3, rejected: 1, rejections: [{ line: 4 }] });
  expect(await loaded()).toEqual({
    v1: { title: 'A, "quoted" title', channelId: "c1" },
    v2: { channelId: "c1" },
    v3: {},
  });
});

it("an NDJSON file: every line is loaded or named", async () => {
  const { code, stdout } = await load(
    "videos.ndjson",
    '{"videoId":"v1","title":"One"}\n\n{"videoId":\n{"videoId":"v2"}',
  );
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ loaded: 2, rejected: 1, rejections: [{ line: 3 }] });
  expect(await loaded()).toEqual({ v1: { title: "One" }, v2: {} });
  expect((await load("more.ndjson", '{"videoId":"v3"}\n')).code).toBe(0);
});

it.each([
  ["a quote that is not closed", 'videoId,title\nv1,"One\n'],
  ["a row of other columns", "videoId,title\nv1,One,more\n"],
])("%s ends the load with one line that names the place", async (_, content) => {
  const { code, stderr } = await load("videos.csv", content);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^viewmill: .*line 2\n$/);
});
