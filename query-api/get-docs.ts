import type { Answer } from "./answer";
import { type Endpoint, endpoint } from "./endpoint";
import type { JsonSchema, OpenApi, OpenApiOperation } from "./openapi";
import { escaped, page } from "./page";
import { nothingAsked } from "./schemas";

/** GET /docs: openapi.json as a page that needs nothing from elsewhere. */
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
      summary: "This interface, for people",
      contentType: "text/html",
      problems: [],
    },
    async handle() {
      rendered ??= page("Viewmill: the interface", render(document()), "no-cache");
      return rendered;
    },
  });
}

function render({ info, tags, paths, components }: OpenApi): string {
  const parts = [`<h1>${escaped(info.title)}</h1>`];
  for (const paragraph of info.description.split("\n\n")) parts.push(`<p>${escaped(paragraph)}</p>`);
  parts.push('<p>The same as data: <a href="/openapi.json">/openapi.json</a></p>');
  for (const tag of tags) {
    parts.push(`<section><h2>${escaped(tag.description)}</h2>`);
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags.includes(tag.name)) parts.push(renderOperation(method, path, operation));
      }
    }
    parts.push("</section>");
  }
  parts.push("<section><h2>Schemas</h2>");
  for (const [name, schema] of Object.entries(components.schemas)) {
    const json = JSON.stringify(schema, null, 2);
    parts.push(
      `<details id="schema-${escaped(name)}"><summary>${escaped(name)}</summary><pre>${escaped(json)}</pre></details>`,
    );
  }
  parts.push("</section>");
  return parts.join("\n");
}

function renderOperation(method: string, path: string, operation: OpenApiOperation): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const parts = [
    `<h3 id="${escaped(operationId)}"><span class="method">${escaped(method)}</span> <code>${escaped(path)}</code></h3>`,
    `<p>${escaped(summary)}. ${escaped(description ?? "")}</p>`,
  ];
  if (parameters.length > 0) {
    const rows = parameters.map(({ name, required, description: about, schema }) =>
      row([code(name), required ? "required" : "", `${escaped(about ?? "")} ${schemaText(schema)}`]),
    );
    parts.push(table(["Parameter", "", ""], rows));
  }
  if (requestBody !== undefined) {
    parts.push(
      table(
        ["Body", ""],
        Object.entries(requestBody.content).map(([type, { schema }]) => row([code(type), schemaText(schema)])),
      ),
    );
  }
  const answers = Object.entries(responses).map(([status, { description: about, content = {} }]) => {
    const schemas = Object.values(content).map(({ schema }) => schemaText(schema));
    return row([code(status), escaped(about), schemas.join(" ")]);
  });
  parts.push(table(["Answer", "", ""], answers));
  return parts.join("\n");
}

function schemaText(schema: JsonSchema): string {
  if (typeof schema.$ref !== "string") return code(JSON.stringify(schema));
  const name = escaped(schema.$ref.split("/").at(-1) ?? "");
  return `<a href="#schema-${name}">${name}</a>`;
}

const code = (content: string): string => `<code>${escaped(content)}</code>`;
const row = (cells: readonly string[]): string => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
const table = (heads: readonly string[], rows: readonly string[]): string =>
  `<table><tr>${heads.map((head) => `<th>${escaped(head)}</th>`).join("")}</tr>${rows.join("\n")}</table>`;
