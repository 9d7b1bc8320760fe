// SPDX-License-Identifier: Apache-2.0
// Builds dashboard/ into dist/dashboard/: index.html, assets whose names carry a hash of their content, and the scripts
// for other pages (embed.js, client.js). scripts/setup.mjs calls it, and so do the builds of the image and of the
// client package.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const FOR_PAGES = { bundle: true, minify: true, target: "es2022", legalComments: "none" };

/** Does nothing where the output is newer than every source. */
export function buildDashboard(root) {
  const from = join(root, "dashboard");
  const into = join(root, "dist", "dashboard");
  const page = join(into, "index.html");
  if (Math.max(newest(from), newest(join(root, "client"))) < changedAt(page)) return;
  rmSync(into, { recursive: true, force: true });
  mkdirSync(join(into, "assets"), { recursive: true });
  const { outputFiles } = buildSync({
    entryPoints: [join(from, "app.tsx"), join(from, "style.css")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    outdir: into,
    write: false,
  });
  buildSync({ ...FOR_PAGES, entryPoints: [join(from, "embed.ts")], format: "iife", outfile: join(into, "embed.js") });
  pageClient(root, join(into, "client.js"));
  const script = outputFiles.find(({ path }) => path.endsWith(".js"));
  const style = outputFiles.find(({ path }) => path.endsWith(".css"));
  const vendor = readFileSync(join(root, "node_modules", "uplot", "dist", "uPlot.min.css"));
  const names = {
    script: write(into, "app", ".js", script.contents),
    style: write(into, "style", ".css", Buffer.concat([vendor, Buffer.from("\n"), style.contents])),
    icon: write(into, "icon", ".svg", readFileSync(join(from, "icon.svg"))),
  };
  const html = readFileSync(join(from, "index.html"), "utf8").replace(/\{\{(\w+)\}\}/g, (_, name) => names[name]);
  writeFileSync(page, html);
}

/** Builds the client library for pages, as one file. */
export function pageClient(root, outfile) {
  const client = join(root, "client", "browser");
  buildSync({
    ...FOR_PAGES,
    entryPoints: [join(client, "index.ts")],
    format: "esm",
    outfile,
  });
}

function write(into, name, ending, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const file = `${name}-${hash}${ending}`;
  writeFileSync(join(into, "assets", file), content);
  return file;
}

function newest(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file));
  return Math.max(...files.map(changedAt));
}

function changedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
