// SPDX-License-Identifier: Apache-2.0
import { hash } from "node:crypto";
import { type Answer, text } from "./answer";

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1,h2,h3{line-height:1.2}code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f4f6;border-radius:4px}
code{padding:.1em .3em}pre{padding:.8em;overflow:auto}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3em .6em;border-bottom:1px solid #d8dee4}
section{border-top:1px solid #d8dee4;margin-top:2rem}.method{text-transform:uppercase;font-weight:600}
.bad{color:#b42318}a{color:#0b5cad}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}code,pre{background:#1c232c}a{color:#6cb6ff}.bad{color:#ff8478}}`;

/** The page loads nothing; its one style sheet is named by its hash. */
const POLICY = `default-src 'none'; style-src 'sha256-${hash("sha256", STYLE, "base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Returns a whole page. `body` is HTML whose data passed through `escaped`. */
export function page(title: string, body: string, cacheControl: string): Answer {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head>
<body>
${body}
</body></html>
`;
  const headers = { "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff" };
  return text("text/html; charset=utf-8", html, cacheControl, headers);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escaped(data: string): string {
  return data.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
