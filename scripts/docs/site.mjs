// SPDX-License-Identifier: Apache-2.0
// Builds docs/ into dist/docs/: one page a file, the pages that are made from the code, and what the search looks
// through. Takes about a second. scripts/setup.mjs and the build of the image call it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import MarkdownIt from "markdown-it";
import { picture } from "./pictures.mjs";
import { configurationPage, metricSources, metricsPage } from "./reference.mjs";

/** The groups in the order of the menu. Pages in no group come last, so that a new page is never lost. */
const GROUPS = [
  ["Begin", ["quick-start", "concepts", "recipes"]],
  ["Use", ["client", "reading", "catalog", "keys", "dashboard", "direct-producers"]],
  [
    "Run",
    ["configuration", "metrics", "operations", "alerts", "flink", "shared-logs", "google-cloud", "dataflow", "images"],
  ],
  ["Trust", ["guarantees", "invariants", "glossary", "architecture"]],
];

/** Does nothing where the output is newer than every source. */
export function buildDocs(root) {
  const into = join(root, "dist", "docs");
  const sources = sourcesOf(root);
  const frame = join(into, "frame.html");
  const made = [join(root, "dist/cli/config/schema.js"), ...metricSources(root).map((file) => join(root, file))];
  const watched = [...sources.map(({ file }) => file), ...builders(root), ...made];
  if (Math.max(...watched.map(changedAt)) < changedAt(frame)) return;
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const pages = [
    ...sources.map(({ name, file }) => pageOf(name, readFileSync(file, "utf8"))),
    pageOf("configuration", configurationPage(root)),
    pageOf("metrics", metricsPage(root)),
  ];
  const menu = menuOf(pages);
  for (const page of pages) writeFileSync(join(into, `${page.name}.html`), framed(menu, page));
  writeFileSync(join(into, "search.json"), JSON.stringify(pages.flatMap(sectionsOf)));
  const page = { name: "", title: "{{title}}", html: "{{content}}" };
  buildSync({
    entryPoints: [join(root, "dashboard/docs/docs.ts"), join(root, "dashboard/docs/docs.css")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    outdir: into,
  });
  writeFileSync(frame, framed(menu, page));
}

/** Returns every page that has a file. */
function sourcesOf(root) {
  const folder = join(root, "docs");
  const named = (from, prefix = "") =>
    readdirSync(from)
      .filter((file) => file.endsWith(".md"))
      .map((file) => ({ name: `${prefix}${file.slice(0, -3)}`, file: join(from, file) }));
  const architecture = { name: "architecture", file: join(root, "ARCHITECTURE.md") };
  const runs = named(join(folder, "bench"), "bench-");
  const all = [...named(folder), ...named(join(folder, "decisions"), "decision-"), ...runs, architecture];
  return all.filter(({ file }) => existsSync(file));
}

const builders = (root) =>
  [join(root, "scripts/docs"), join(root, "dashboard/docs")].flatMap((folder) =>
    readdirSync(folder).map((file) => join(folder, file)),
  );
const changedAt = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

const markdown = new MarkdownIt({ html: false, linkify: false });
const image = markdown.renderer.rules.image;
markdown.renderer.rules.image = (tokens, at, ...rest) => {
  const [, name] = /^picture:(.+)$/.exec(tokens[at].attrGet("src") ?? "") ?? [];
  return name === undefined ? image(tokens, at, ...rest) : picture(name, tokens[at].content);
};
markdown.validateLink = () => true;
markdown.renderer.rules.heading_open = (tokens, at) => {
  const { tag } = tokens[at];
  return `<${tag} id="${slug(tokens[at + 1].content)}">`;
};
// A table that is wider than the page scrolls in its own place. On a narrow screen the cells of a row stand below one
// another, each after its head: so cells know their heads, and roles say what style takes away. query-api/api-page.ts
// makes tables of the same form.
markdown.renderer.rules.table_open = () =>
  '<div class="wide" tabindex="0" role="region" aria-label="Table"><table role="table">';
markdown.renderer.rules.table_close = () => "</table></div>";
markdown.core.ruler.push("heads", ({ tokens }) => {
  let heads = [];
  let at = 0;
  tokens.forEach(({ type }, index) => {
    const token = tokens[index];
    if (type === "table_open") heads = [];
    if (type === "tr_open") at = 0;
    if (type === "tr_open") token.attrSet("role", "row");
    if (type === "th_open") token.attrSet("role", "columnheader");
    if (type === "th_open") heads.push(tokens[index + 1].content.replace(/[`*]/g, ""));
    if (type === "td_open") token.attrSet("role", "cell");
    if (type === "td_open") token.attrSet("data-head", heads[at++] ?? "");
  });
});
const fence = markdown.renderer.rules.fence;
markdown.renderer.rules.fence = (...given) => fence(...given).replace("<pre>", '<pre tabindex="0">');

function pageOf(name, text) {
  const html = markdown
    .render(text)
    // Names of pages in prose lead there: docs/keys.md, decision 0012.
    .replace(/(?<![\w/"])docs\/decisions\/([a-z0-9-]+)\.md/g, '<a href="/docs/decision-$1">decisions/$1</a>')
    .replace(/(?<![\w/"])docs\/bench\/([a-z0-9-]+)\.md/g, '<a href="/docs/bench-$1">bench/$1</a>')
    .replace(/(?<![\w/"])docs\/([a-z0-9-]+)\.md/g, '<a href="/docs/$1">$1</a>')
    .replace(/href="(?:docs\/|\.\/|\.\.\/)?([a-z0-9-]+)\.md(#[^"]*)?"/g, 'href="/docs/$1$2"')
    .replace(/href="(?:docs\/)?decisions\/([a-z0-9-]+)\.md"/g, 'href="/docs/decision-$1"');
  const title = /^# (.+)$/m.exec(text)?.[1]?.replace(/`/g, "") ?? name;
  return { name, title, html };
}

function menuOf(pages) {
  const byName = new Map(pages.map((page) => [page.name, page]));
  const listed = new Set(GROUPS.flatMap(([, names]) => names));
  const others = pages.filter(({ name }) => !listed.has(name) && !/^(?:decision|bench)-/.test(name));
  const decisions = pages.filter(({ name }) => name.startsWith("decision-"));
  const runs = pages.filter(({ name }) => name.startsWith("bench-"));
  const link = ({ name, title }) => `<li><a href="/docs/${name}">${escaped(title)}</a></li>`;
  const group = (title, links) => `<details open><summary>${title}</summary><ul>${links.join("")}</ul></details>`;
  return [
    ...GROUPS.map(([title, names]) => {
      const links = names.flatMap((name) => byName.get(name) ?? []).map(link);
      const api = title === "Use" ? ['<li><a href="/docs/api">HTTP API</a></li>'] : [];
      return group(title, [...api, ...links]);
    }),
    group("More", others.map(link)),
    group("Decisions", decisions.map(link)).replace(" open", ""),
    group("Runs", runs.map(link)).replace(" open", ""),
  ].join("\n");
}

const framed = (menu, { name, title, html }) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)} · Viewmill</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/docs.css">
<script type="module" src="/docs/docs.js"></script>
</head>
<body data-page="${name}">
<a class="skip" href="#content">Skip to the text</a>
<header><a class="brand" href="/">Viewmill</a> <a href="/docs">Documentation</a>
<search><input type="search" id="search" aria-label="Search the documentation" placeholder="Search" autocomplete="off" aria-controls="found"><ul id="found" aria-live="polite"></ul></search>
</header>
<nav aria-label="Documentation">
${menu}
</nav>
<main id="content">
${html}
</main>
</body>
</html>
`;

/** Returns the entries of the search: each heading with the text below it. */
function sectionsOf({ name, title, html }) {
  return html
    .split(/(?=<h[1-3] id=)/)
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, anchor, heading = title] = /^<h[1-3] id="([^"]*)">(.*?)<\/h/s.exec(part) ?? [];
      const text = part.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
      const plain = heading.replace(/<[^>]*>/g, "");
      return { id: `/docs/${name}${anchor === undefined ? "" : `#${anchor}`}`, page: title, heading: plain, text };
    });
}

const escaped = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
