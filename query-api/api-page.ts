// SPDX-License-Identifier: Apache-2.0

/** The page of /docs that describes the interface, made from the OpenAPI document (get-docs.ts). */
import { escaped } from "./escaped";
import type { JsonSchema, OpenApi, OpenApiOperation, OpenApiParameter } from "./openapi";
import { membersOf, schemaWords } from "./schema-words";

interface Listed {
  method: string;
  path: string;
  operation: OpenApiOperation;
}

/** Returns the HTML of a table of all paths, each a link to its description. */
export function pathsOf(document: OpenApi): string {
  const rows = document.tags.flatMap((tag) =>
    operationsOf(document, tag.name).map(({ method, path, operation }) => [
      `<span class="method">${escaped(method)}</span> <a href="/docs/api#${escaped(operation.operationId)}">${code(path)}</a>`,
      escaped(operation.summary),
    ]),
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
  for (const [name, schema] of Object.entries(components.schemas)) parts.push(describedSchema(name, schema));
  return parts.join("\n");
}

/** Returns the HTML of a named schema: its members in words, or the whole in words. */
function describedSchema(name: string, schema: JsonSchema): string {
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const members = membersOf(schema)?.map(([member, its]) => [
    code(member),
    required.has(member) ? "always" : "",
    ...meaningAndValue(its),
  ]);
  const words =
    members === undefined ? `<p>${schemaWords(schema)}</p>` : table(["Member", "There", "Meaning", "Value"], members);
  return `<details id="schema-${escaped(name)}"><summary>${escaped(name)}</summary>${words}</details>`;
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
    const rows = parameters.map(({ name, required, description, schema }) => [
      code(name),
      required ? "required" : "",
      ...meaningAndValue({ description, ...schema }),
    ]);
    parts.push(table(["Parameter", "", "Meaning", "Value"], rows));
  }
  if (requestBody !== undefined) {
    const rows = Object.entries(requestBody.content).map(([type, { schema }]) => [code(type), schemaWords(schema)]);
    parts.push(table(["Body", "Content"], rows));
  }
  const answers = Object.entries(responses).map(([status, { description: about, content = {} }]) => [
    code(status),
    escaped(about),
    Object.values(content)
      .map(({ schema }) => schemaWords(schema))
      .join(" "),
  ]);
  parts.push(table(["Answer", "Meaning", "Body"], answers), tryOut(listed));
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

function meaningAndValue({ description, ...schema }: JsonSchema): [meaning: string, value: string] {
  return [typeof description === "string" ? escaped(description) : "", schemaWords(schema)];
}

const code = (content: string): string => `<code>${escaped(content)}</code>`;
/** On a narrow screen the cells of a row stand below one another, each after its head; docs.css. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head =
    heads.length === 0
      ? ""
      : `<tr role="row">${heads.map((name) => `<th role="columnheader">${escaped(name)}</th>`).join("")}</tr>`;
  const body = rows.map((cells) => {
    const made = cells.map((cell, at) => `<td role="cell" data-head="${escaped(heads[at] ?? "")}">${cell}</td>`);
    return `<tr role="row">${made.join("")}</tr>`;
  });
  return `<div class="wide" tabindex="0" role="region" aria-label="Table"><table role="table">${head}${body.join("\n")}</table></div>`;
}
