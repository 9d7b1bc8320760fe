// SPDX-License-Identifier: Apache-2.0
/** `catalog load`: what of a file is loaded, what is rejected, and how the command ends. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CATALOG_FILE, SqliteCatalog } from "../../../io/sqlite/catalog";

import { BARE_ENVIRONMENT } from "../../bare-environment";
import { until } from "../../until";

const MAIN = join(__dirname, "..", "..", "..", "cli", "main.js");

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
    const child = execFile(process.execPath, args, { env: BARE_ENVIRONMENT }, (_, stdout, stderr) =>
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

it("a line that a full history refuses is named, and takes no other line down", async () => {
  const changes = Array.from({ length: 201 }, (_, n) => ({
    ...{ videoId: "v2", channelId: `c${n}`, channelSince: n * 60_000 },
  }));
  const lines = [{ videoId: "v1", title: "A" }, ...changes, { videoId: "v3", title: "B" }];
  const { code, stdout } = await load("videos.ndjson", lines.map((line) => JSON.stringify(line)).join("\n"));
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    loaded: 202,
    rejected: 1,
    rejections: [{ line: 202, detail: "a video changes its channel at most 200 times" }],
  });
  expect(await loaded()).toMatchObject({ v1: { title: "A" }, v3: { title: "B" } });
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
  ["of the lines", ['"channelId":"c","channelTitle":"Old"', '"channelId":"c","channelTitle":"New"']],
  [
    "of a line that takes a title away",
    ['"channelId":"c","channelTitle":null', '"channelId":"c","channelTitle":"New"'],
  ],
  ["of a line without a channel", ['"channelId":"c","channelTitle":"Old"', '"channelTitle":"New"']],
])("of two titles of a channel the last one %s stays, whatever the order of the ids", async (_, [first, last]) => {
  const lines = ['{"videoId":"v1","channelId":"c"}', `{"videoId":"v2",${first}}`, `{"videoId":"v1",${last}}`];
  expect((await load("videos.ndjson", lines.join("\n"))).code).toBe(0);
  expect(await loaded()).toMatchObject({ v1: { channelTitle: "New" }, v2: { channelTitle: "New" } });
});

it("a CSV file: digits are times, and null takes a value away", async () => {
  const head = "videoId,title,channelId,publishedAt,channelSince\n";
  const { stdout } = await load("videos.csv", `${head}v1,T,c1,1700000000000,60000\nnull,null,null,null,\nv2,12,34,,\n`);
  expect(JSON.parse(stdout)).toMatchObject({ loaded: 3, rejected: 0 });
  const publishedAtMs = 1_700_000_000_000;
  expect(await loaded()).toEqual({ v1: { title: "T", publishedAtMs }, v2: { title: "12", channelId: "34" } });
  await load("videos.csv", "videoId,title,publishedAt\nv1,null,null\n");
  expect(await loaded()).toMatchObject({ v1: {} });
});

it.each([
  ["a quote that is not closed", 'videoId,title\nv1,"One\n'],
  ["a row of other columns", "videoId,title\nv1,One,more\n"],
])("%s ends the load with one line that names the place", async (_, content) => {
  const { code, stderr } = await load("videos.csv", content);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^viewmill: .*line 2\n$/);
});

describe("a load that is killed", () => {
  const VIDEOS = 12_000;
  const idOf = (n: number) => `v-${n.toString(36)}`;
  const textOf = (title: string) =>
    Array.from({ length: VIDEOS }, (_, n) =>
      JSON.stringify({ videoId: idOf(n), title: `${title} ${n}`, channelId: `c${n % 7}` }),
    ).join("\n");

  /** Kills the command while the catalog is locked for its load; again where the load was faster. */
  async function loadAndKill(name: string, content: string): Promise<void> {
    const file = join(folder, name);
    writeFileSync(file, content);
    await until("a load is killed in its midst", () => wasKilled(file), 100_000);
  }

  async function wasKilled(file: string): Promise<boolean> {
    const child = spawn(process.execPath, [MAIN, "catalog", "load", file, "--data", join(folder, "data")], {
      env: BARE_ENVIRONMENT,
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    await until("the load is in the midst of its writes", () => isLocked() || child.exitCode !== null, 60_000, 1);
    child.kill("SIGKILL");
    const [, signal] = (await ended) as [number | null, string | null];
    return signal === "SIGKILL";
  }

  function isLocked(): boolean {
    try {
      const db = new DatabaseSync(join(folder, "data", CATALOG_FILE), { timeout: 0 });
      try {
        if (Number(db.prepare("PRAGMA user_version").get()!.user_version) === 0) return false;
        db.exec("BEGIN IMMEDIATE; ROLLBACK");
        return false;
      } finally {
        db.close();
      }
    } catch (error) {
      return /locked/.test(String(error)) && existsSync(join(folder, "data", CATALOG_FILE));
    }
  }

  /** How many videos are known, how many of them by their titles and channels, and the titles' first words. */
  async function inCatalog() {
    const catalog = new SqliteCatalog(join(folder, "data", CATALOG_FILE));
    const titles = new Set<string>();
    let videos = 0;
    let ofChannels = 0;
    for (let from = 0; from < VIDEOS; from += 1_000) {
      const ids = Array.from({ length: 1_000 }, (_, n) => idOf(from + n));
      for (const { title = "" } of (await catalog.videos(ids, 1e9)).values()) {
        videos++;
        titles.add(title.split(" ")[0]!);
      }
    }
    for (let n = 0; n < 7; n++) ofChannels += (await catalog.videosOf(`c${n}`, "", VIDEOS)).length;
    let byTitle = 0;
    for (const title of titles) byTitle += (await catalog.titlesFrom(`${title} `, undefined, VIDEOS)).length;
    await catalog.close();
    return { videos, ofChannels, byTitle, titles: [...titles] };
  }

  it("leaves all or nothing behind, the first time and again, and the next load is whole", async () => {
    const all = { videos: VIDEOS, ofChannels: VIDEOS, byTitle: VIDEOS };
    const nothing = { videos: 0, ofChannels: 0, byTitle: 0, titles: [] };
    await loadAndKill("old.ndjson", textOf("old"));
    expect([nothing, { ...all, titles: ["old"] }]).toContainEqual(await inCatalog());
    expect((await load("old.ndjson", textOf("old"))).code).toBe(0);
    expect(await inCatalog()).toEqual({ ...all, titles: ["old"] });
    await loadAndKill("new.ndjson", textOf("new"));
    expect(["old", "new"].map((title) => ({ ...all, titles: [title] }))).toContainEqual(await inCatalog());
    expect((await load("new.ndjson", textOf("new"))).code).toBe(0);
    expect(await inCatalog()).toEqual({ ...all, titles: ["new"] });
  });
});
