// SPDX-License-Identifier: Apache-2.0
// Pages that are made from the code: every setting from the configuration's schema, every metric from where the metric
// is made. site.mjs writes them beside the pages of docs/.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Markdown of every setting with its type, bounds, default and environment variable. */
export function configurationPage(root) {
  const require = createRequire(join(root, "package.json"));
  const { z } = require("zod");
  const { configSchema } = require(join(root, "dist/cli/config/schema.js"));
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
  const rows = [...settings(schema, [])].map(
    ({ path, about, type, standard }) =>
      `| \`${path.join(".")}\` | ${cell(type)} | ${cell(standard)} | ${cell(about)} |`,
  );
  return `# Configuration

Settings come from a YAML or JSON file (\`--config FILE\`), from environment variables, and from flags; the later of these wins. An unknown key is an error that names it. \`npx viewmill config\` prints the effective values.

The variable of a setting is its path in capitals, words apart: \`http.maxBodyBytes\` is \`VIEWMILL_HTTP_MAX_BODY_BYTES\`. This page is made from the schema that checks the settings.

| setting | type | default | |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

function* settings(schema, path) {
  if (schema.properties !== undefined) {
    for (const [name, inner] of Object.entries(schema.properties)) yield* settings(inner, [...path, name]);
    return;
  }
  const { default: standard, description: about = "" } = schema;
  yield {
    path,
    about,
    type: typeOf(schema),
    standard: standard === undefined ? "" : `\`${JSON.stringify(standard)}\``,
  };
}

function typeOf({ enum: words, type = "", minimum, maximum, items }) {
  if (words !== undefined) return words.map((word) => `\`${JSON.stringify(word)}\``).join(", ");
  if (minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
    return `${type}, ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${type}, at least ${minimum}`;
  return items?.type === undefined ? String(type) : `list of ${items.type}`;
}

const cell = (text) => text.replace(/\|/g, "\\|").replace(/</g, "&lt;");

const FOLDERS = ["ingest-api", "query-api", "admission", "cli"];
/** As members, `name: "viewmill_x", help: "..."`, or as the first two arguments of a call. */
const AS_MEMBERS = /name:\s*"(viewmill_\w+)",\s*help:\s*"([^"]+)"/g;
const AS_ARGUMENTS = /\(\s*"(viewmill_\w+)",\s*"([^"]+)"/g;

/** Returns the files, from `root`, in which metrics are looked for. */
export const metricSources = (root) =>
  FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`),
  );

/** Markdown of every metric with its help, and the file that makes the metric. */
export function metricsPage(root) {
  const found = new Map();
  for (const file of metricSources(root)) {
    const text = readFileSync(join(root, file), "utf8");
    for (const pattern of [AS_MEMBERS, AS_ARGUMENTS])
      for (const [, metric, help] of text.matchAll(pattern)) found.set(metric, [help, file]);
  }
  const rows = [...found].sort().map(([metric, [help, file]]) => `| \`${metric}\` | ${cell(help)} | \`${file}\` |`);
  return `# Metrics

\`GET /metrics\` answers in the format of Prometheus. \`monitoring/\` of the repository has alert rules and a Grafana dashboard for these metrics, beside those that Node itself gives (\`process_*\`, \`nodejs_*\`). This page is made from the sources.

| metric | | made in |
| --- | --- | --- |
${rows.join("\n")}
`;
}
