// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { type Answer, refused, text } from "./answer";
import { apiPage, pathsOf } from "./api-page";
import { type Endpoint, endpoint } from "./endpoint";
import { escaped } from "./escaped";
import type { OpenApi } from "./openapi";
import { notFound } from "./problem";
import { nothingAsked } from "./schemas";

/**
 * The output of scripts/docs/site.mjs: a file for each page, the frame of pages that are made here, and their assets.
 */
const FOLDER = join(__dirname, "..", "docs");
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEADERS = { "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff" };
const HTML = "text/html; charset=utf-8";
const TYPES: Readonly<Record<string, string>> = {
  "": HTML,
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
};

/** GET /docs: the start of the documentation, and every path of the interface. */
export function getDocs(document: () => OpenApi): Endpoint {
  let rendered: Answer | undefined;
  return endpoint({
    method: "get",
    path: "/docs",
    query: nothingAsked,
    operation: {
      operationId: "getDocs",
      tag: "operation",
      scope: "none",
      summary: "The documentation",
      contentType: "text/html",
      problems: [],
    },
    async handle() {
      rendered ??= framed("Documentation", FRONT + pathsOf(document()));
      return rendered;
    },
  });
}

/** GET /docs/{name}: a page of the documentation, or an asset of a page. */
export function getDocsPage(document: () => OpenApi): Endpoint {
  const pages = new Map<string, Answer>();
  return endpoint({
    method: "get",
    path: "/docs/{name}",
    match: /^\/docs\/([a-z0-9-]{1,80}(?:\.js|\.css|\.json)?)$/,
    query: nothingAsked,
    operation: {
      operationId: "getDocsPage",
      tag: "operation",
      scope: "none",
      summary: "A page of the documentation",
      contentType: "text/html",
      problems: [404],
    },
    async handle({ name }) {
      const page = pages.get(name) ?? (name === "api" ? framed("HTTP API", apiPage(document())) : readPage(name));
      if (page === undefined) return refused(notFound(`/docs/${name}`));
      pages.set(name, page);
      return page;
    },
  });
}

const FRONT = `<h1>Viewmill</h1>
<p>Counts what happens to videos exactly and live, and keeps proving that the numbers are right.</p>
<ul>
<li><a href="/docs/quick-start">Quick start</a>: from a fresh clone to a number that moves</li>
<li><a href="/docs/concepts">Concepts</a>: event time, duplicates, late events, states, books, audits</li>
<li><a href="/docs/recipes">Recipes</a>: pay per view, likes with undo, history, a counter on a page</li>
<li><a href="/docs/client">Client library</a>, <a href="/docs/api">HTTP API</a> to try out, <a href="/docs/configuration">configuration</a>, <a href="/docs/metrics">metrics</a></li>
<li><a href="/docs/operations">Operations</a>, <a href="/docs/guarantees">what is guaranteed</a> and <a href="/docs/architecture">how it is built</a></li>
</ul>
`;

function readPage(name: string): Answer | undefined {
  const ending = extname(name);
  const file = join(FOLDER, ending === "" ? `${name}.html` : name);
  if (!existsSync(file)) return undefined;
  return text(TYPES[ending] ?? HTML, readFileSync(file, "utf8"), "no-cache", HEADERS);
}

/** Returns a page that is made here, in the frame that the build made. */
function framed(title: string, content: string): Answer {
  const frame = readFileSync(join(FOLDER, "frame.html"), "utf8");
  const html = frame.replace("{{title}}", escaped(title)).replace("{{content}}", () => content);
  return text(HTML, html, "no-cache", HEADERS);
}
