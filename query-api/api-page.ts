// SPDX-License-Identifier: Apache-2.0

/** The page of /docs that describes the interface, made from the OpenAPI document (get-docs.ts). */
import { escaped } from "./escaped";
import type { JsonSchema, OpenApi, OpenApiOperation, OpenApiParameter } from "./openapi";

interface Listed {
  method: string;
  path: string;
  operation: OpenApiOperation;
}

/** Returns the HTML of a table of all paths, each a link to its description. */
export function pathsOf(document: OpenApi): string {
  const rows = document.tags.flatMap((tag) =>
    operationsOf(document, tag.name).map(({ method, path, operation }) =>
      row([
        `<span class="method">${escaped(method)}</span> <a href="/docs/api#${escaped(operation.operationId)}">${code(path)}</a>`,
        escaped(operation.summary),
      ]),
    ),
  );
  return `<h2 id="interface">HTTP API</h2><p>As data: <a href="/openapi.json">/openapi.json</a></p>${table([], rows)}`;
}

/** Returns the HTML of the OpenAPI document, with a form for each request that can be tried out. */
export function apiPage(document: OpenApi): string {
  const { info, tags, components } = document;
  const parts = ["<h1>HTTP API</h1>"];
  for (const paragraph of info.description.split("\n\n")) parts.push(`<p>${escaped(paragraph)}</p>`);
  for (const tag of tags) {
    parts.push(`<h2 id="tag-${escaped(tag.name)}">${escaped(tag.description)}</h2>`);
    for (const listed of operationsOf(document, tag.name)) parts.push(rendered(listed));
  }
  parts.push('<h2 id="schemas">Schemas</h2>');
  for (const [name, schema] of Object.entries(components.schemas)) {
    const json = escaped(JSON.stringify(schema, null, 2));
    parts.push(
      `<details id="schema-${escaped(name)}"><summary>${escaped(name)}</summary><pre tabindex="0">${json}</pre></details>`,
    );
  }
  return parts.join("\n");
}

function operationsOf({ paths }: OpenApi, tag: string): Listed[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .map(([method, operation]) => ({ method, path, operation }))
      .filter(({ operation }) => operation.tags.includes(tag)),
  );
}

function rendered(listed: Listed): string {
  const { method, path, operation } = listed;
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const parts = [
    `<h3 id="${escaped(operationId)}"><span class="method">${escaped(method)}</span> ${code(path)}</h3>`,
    `<p>${escaped(summary)}. ${escaped(description ?? "")}</p>`,
  ];
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, required, description: about, schema }) =>
      row([code(name), required ? "required" : "", `${escaped(about ?? "")} ${schemaText(schema)}`]),
    );
    parts.push(table(["Parameter", "", ""], rows));
  }
  if (requestBody !== undefined) {
    const rows = Object.entries(requestBody.content).map(([type, { schema }]) => row([code(type), schemaText(schema)]));
    parts.push(table(["Body", ""], rows));
  }
  const answers = Object.entries(responses).map(([status, { description: about, content = {} }]) =>
    row([
      code(status),
      escaped(about),
      Object.values(content)
        .map(({ schema }) => schemaText(schema))
        .join(" "),
    ]),
  );
  parts.push(table(["Answer", "", ""], answers), tryOut(listed));
  return parts.join("\n");
}

/** Example bodies, by the operation's id. */
const EXAMPLES: Readonly<Record<string, string>> = {
  sendEvents: '{"eventId":"try-1","videoId":"cats-42","eventType":"VIEW"}',
  query: '{"videoIds":["cats-42"],"eventTypes":["VIEW"],"granularity":"hour"}',
  replayDeadLetters: '{"reason":"bad-video-id"}',
};

/** Returns a form that sends a request to this service. Streams and files have no form. */
function tryOut({ method, path, operation }: Listed): string {
  const { operationId, parameters = [], requestBody, responses } = operation;
  const answers = Object.keys((responses[200] ?? responses[202])?.content ?? {});
  const isText = answers.every((type) => type === "application/json" || type === "text/plain");
  if (!isText || path.includes("{name}") || method === "delete") return "";
  const fields = parameters.map((parameter) => field(parameter));
  const [type = ""] = Object.keys(requestBody?.content ?? {});
  const body =
    requestBody === undefined
      ? ""
      : `<label class="body">Body<textarea name="$body" rows="3">${escaped(EXAMPLES[operationId] ?? "")}</textarea></label>`;
  const data = `data-method="${escaped(method)}" data-path="${escaped(path)}" data-type="${escaped(type)}"`;
  return `<details><summary>Try it</summary><form class="try" ${data}>${fields.join("")}${body}<button>Send</button><output></output></form></details>`;
}

function field({ name, required, schema }: OpenApiParameter): string {
  const given = (schema.examples as unknown[] | undefined)?.[0];
  const value = required && given !== undefined ? ` value="${escaped(String(given))}"` : "";
  return `<label>${escaped(name)}<input name="${escaped(name)}"${value}${required ? " required" : ""}></label>`;
}

function schemaText(schema: JsonSchema): string {
  if (typeof schema.$ref !== "string") return code(JSON.stringify(schema));
  const name = escaped(schema.$ref.split("/").at(-1) ?? "");
  return `<a href="#schema-${name}">${name}</a>`;
}

const code = (content: string): string => `<code>${escaped(content)}</code>`;
const row = (cells: readonly string[]): string => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;

function table(heads: readonly string[], rows: readonly string[]): string {
  const head = heads.length === 0 ? "" : `<tr>${heads.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr>`;
  return `<div class="wide" tabindex="0" role="region" aria-label="Table"><table>${head}${rows.join("\n")}</table></div>`;
}
