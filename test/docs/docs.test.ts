// SPDX-License-Identifier: Apache-2.0
/**
 * The documentation: its links lead somewhere, and what is made from the code names all of it. Its commands are in
 * commands.test.ts.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cleanUp, Service } from "../system/end-to-end/service";

const ROOT = join(__dirname, "..", "..", "..");
const SITE = join(ROOT, "dist", "docs");
const MAIN = join(ROOT, "dist", "cli", "main.js");
const pages = new Map(
  readdirSync(SITE)
    .filter((file) => file.endsWith(".html"))
    .map((file) => [file.slice(0, -5), readFileSync(join(SITE, file), "utf8")]),
);

afterEach(cleanUp);

describe("every page", () => {
  it("is in the menu", () => {
    const menu = pages.get("frame")!;
    for (const name of pages.keys()) if (name !== "frame") expect(menu).toContain(`href="/docs/${name}"`);
  });

  it("holds no inline script or style, and loads nothing from elsewhere", () => {
    for (const [name, html] of pages) {
      expect(html, name).not.toMatch(/<style|\sstyle=|\son[a-z]+="|<script(?! type="module" src="\/docs\/docs\.js")/);
      expect(html, name).not.toMatch(/\ssrc="https?:|<link[^>]*href="https?:/);
    }
  });

  it("links to pages and headings that exist", () => {
    const missing: string[] = [];
    for (const [name, html] of pages) {
      for (const [, page = "", anchor] of html.matchAll(/href="\/docs\/([a-z0-9-]+)(?:#([^"]*))?"/g)) {
        if (page === "api") continue;
        const target = pages.get(page);
        if (target === undefined || (anchor !== undefined && !target.includes(`id="${anchor}"`)))
          missing.push(`${name}: ${page}#${anchor ?? ""}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it("is found by the search, heading by heading", () => {
    const sections = JSON.parse(readFileSync(join(SITE, "search.json"), "utf8")) as { id: string }[];
    const ids = new Set(sections.map(({ id }) => id));
    expect(ids.size).toBe(sections.length);
    expect(ids).toContain("/docs/recipes#likes-with-undo");
    expect(ids).toContain("/docs/concepts#from-provisional-to-closed");
  });
});

it("the page of metrics names every metric that the service answers", { timeout: 120_000 }, async () => {
  const service = await Service.start();
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const names = [...text.matchAll(/^# TYPE (viewmill_\w+) /gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(pages.get("metrics")).toContain(`<code>${name}</code>`);
});

it("the page of the configuration names every setting", () => {
  const { stdout } = spawnSync(process.execPath, [MAIN, "config", "--json"], { encoding: "utf8" });
  const paths = (value: object, path: string): string[] =>
    Object.entries(value).flatMap(([name, inner]) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner) && Object.keys(inner).length > 0
        ? paths(inner as object, `${path}${name}.`)
        : [`${path}${name}`],
    );
  const settings = paths(JSON.parse(stdout) as object, "");
  expect(settings.length).toBeGreaterThan(80);
  for (const setting of settings) expect(pages.get("configuration")).toContain(`<code>${setting}</code>`);
});
