// SPDX-License-Identifier: Apache-2.0
/** The files of the dashboard and of other pages, as the build made them. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { type Answer, refused, text } from "./answer";
import { type Endpoint, endpoint } from "./endpoint";
import { notFound } from "./problem";
import { nothingAsked } from "./schemas";

/** The output of scripts/build-dashboard.mjs: index.html, and assets/ whose names carry a hash of their content. */
const FOLDER = join(__dirname, "..", "dashboard");
/** The page loads from this service alone, and holds no inline script or style. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FOR_EVER = "public, max-age=31536000, immutable";
const SCRIPT = "text/javascript; charset=utf-8";
const TYPES: Readonly<Record<string, string>> = {
  ".js": SCRIPT,
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const SAFE = { "X-Content-Type-Options": "nosniff" };

/** GET /: the dashboard. */
export function getDashboard(): Endpoint {
  let page: Answer | undefined;
  return endpoint({
    method: "get",
    path: "/",
    query: nothingAsked,
    operation: {
      operationId: "getDashboard",
      tag: "operation",
      scope: "none",
      summary: "The dashboard",
      contentType: "text/html",
      problems: [],
    },
    async handle() {
      const headers = { ...SAFE, "Content-Security-Policy": POLICY };
      page ??= text("text/html; charset=utf-8", readFileSync(join(FOLDER, "index.html"), "utf8"), "no-cache", headers);
      return page;
    },
  });
}

/** GET /assets/{name}: scripts and styles of the dashboard. */
export function getDashboardAsset(): Endpoint {
  const assets = new Map<string, Answer>();
  return endpoint({
    method: "get",
    path: "/assets/{name}",
    match: /^\/assets\/([A-Za-z0-9._-]{1,100})$/,
    query: nothingAsked,
    operation: {
      operationId: "getDashboardAsset",
      tag: "operation",
      scope: "none",
      summary: "A script or style of the dashboard",
      contentType: "application/octet-stream",
      problems: [404],
    },
    async handle({ name }) {
      if (assets.size === 0) for (const [file, asset] of readAssets()) assets.set(file, asset);
      return assets.get(name) ?? refused(notFound(`/assets/${name}`));
    },
  });
}

/** GET /embed.js: the custom element that shows a total on any page. */
export const getEmbed = () => script("/embed.js", "getEmbed", "The script of the embeddable counter");

/** GET /client.js: the client library in the form that pages import. */
export const getClientScript = () =>
  script("/client.js", "getClientScript", "The client library, an ES module for pages");

/** Returns an endpoint for a script that pages of other origins load. */
function script(path: string, operationId: string, summary: string): Endpoint {
  let content: Answer | undefined;
  return endpoint({
    method: "get",
    path,
    query: nothingAsked,
    operation: { operationId, tag: "operation", scope: "none", summary, contentType: "text/javascript", problems: [] },
    async handle() {
      const headers = { ...SAFE, "Cross-Origin-Resource-Policy": "cross-origin" };
      content ??= text(SCRIPT, readFileSync(join(FOLDER, path.slice(1)), "utf8"), "public, max-age=300", headers);
      return content;
    },
  });
}

function readAssets(): [string, Answer][] {
  const folder = join(FOLDER, "assets");
  return readdirSync(folder).flatMap((name): [string, Answer][] => {
    const type = TYPES[extname(name)];
    return type === undefined ? [] : [[name, text(type, readFileSync(join(folder, name), "utf8"), FOR_EVER, SAFE)]];
  });
}
