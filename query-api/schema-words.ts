// SPDX-License-Identifier: Apache-2.0
/** JSON schemas in words, for the people who read the page of the HTTP API. */
import { escaped } from "./escaped";
import type { JsonSchema } from "./openapi";

/** What a reader needs no words for. */
const SAID_ELSEWHERE = new Set(["type", "format", "description", "additionalProperties", "propertyNames"]);

/**
 * Returns the HTML of a schema in words, such as `whole number, 1 to 1000; default 100`. A keyword that has no words
 * here is shown as it stands, so that nothing is left out.
 */
export function schemaWords(schema: JsonSchema): string {
  const { words, used } = kindOf(schema);
  const parts = [words];
  const { default: otherwise, examples, description } = schema;
  if (otherwise !== undefined) parts.push(`default ${value(otherwise)}`);
  if (Array.isArray(examples) && examples.length > 0) parts.push(`such as ${examples.map(value).join(", ")}`);
  if (typeof description === "string") parts.push(escaped(description));
  for (const keyword of Object.keys(schema)) {
    if (SAID_ELSEWHERE.has(keyword) || used.has(keyword) || keyword === "default" || keyword === "examples") continue;
    parts.push(`${escaped(keyword)} ${value(schema[keyword])}`);
  }
  return parts.filter((part) => part !== "").join("; ");
}

/** Returns the schemas of an object's members; undefined for a schema without any. */
export function membersOf({ properties }: JsonSchema): readonly [string, JsonSchema][] | undefined {
  if (typeof properties !== "object" || properties === null) return undefined;
  return Object.entries(properties as Record<string, JsonSchema>);
}

interface Kind {
  words: string;
  /** The keywords that the words say. */
  used: ReadonlySet<string>;
}

function kindOf(schema: JsonSchema): Kind {
  const said = (words: string, ...used: string[]): Kind => ({ words, used: new Set(used) });
  if (typeof schema.$ref === "string") {
    const name = escaped(schema.$ref.split("/").at(-1) ?? "");
    return said(`<a href="#schema-${name}">${name}</a>`, "$ref");
  }
  if (Array.isArray(schema.enum)) return said(schema.enum.map(value).join(" or "), "enum");
  if (schema.const !== undefined) return said(value(schema.const), "const");
  for (const keyword of ["anyOf", "oneOf"]) {
    const options = schema[keyword];
    if (Array.isArray(options)) return said((options as JsonSchema[]).map(schemaWords).join(", or "), keyword);
  }
  switch (schema.type) {
    case "string":
      return said(textWords(schema), "pattern", "minLength", "maxLength", "contentEncoding");
    case "integer":
      return said(`whole number${range(schema, "minimum", "maximum")}`, "minimum", "maximum");
    case "number":
      return said(`number${range(schema, "minimum", "maximum")}`, "minimum", "maximum");
    case "boolean":
      return said("true or false");
    case "null":
      return said("null");
    case "array":
      return said(listWords(schema), "items", "minItems", "maxItems");
    case "object":
      return said(objectWords(schema), "properties", "required");
    default:
      return said(schema.type === undefined ? "anything" : value(schema.type));
  }
}

function textWords(schema: JsonSchema): string {
  const { format, pattern, contentEncoding } = schema;
  if (format === "date-time") return "time (RFC 3339)";
  const kind = contentEncoding === "binary" ? "bytes" : `text${range(schema, "minLength", "maxLength", " characters")}`;
  const form = format === undefined ? "" : `, ${value(format)}`;
  return `${kind}${form}${pattern === undefined ? "" : `, as ${value(pattern)}`}`;
}

function listWords(schema: JsonSchema): string {
  const { items } = schema;
  const of = typeof items === "object" && items !== null ? ` of ${schemaWords(items as JsonSchema)}` : "";
  return `list${range(schema, "minItems", "maxItems")}${of}`;
}

function objectWords(schema: JsonSchema): string {
  const members = membersOf(schema);
  if (members !== undefined) return `object with ${members.map(([name]) => value(name)).join(", ")}`;
  const { additionalProperties: others } = schema;
  return typeof others === "object" && others !== null
    ? `object, each member ${schemaWords(others as JsonSchema)}`
    : "object";
}

/** The largest integer that JSON carries exactly, which stands for no bound of ours. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

function range(schema: JsonSchema, least: string, most: string, unit = ""): string {
  const [from, to] = [schema[least], schema[most]];
  const hasFrom = typeof from === "number" && from > -UNBOUNDED;
  const hasTo = typeof to === "number" && to < UNBOUNDED;
  if (hasFrom && hasTo) return `, ${from} to ${to}${unit}`;
  if (hasFrom) return `, at least ${from}${unit}`;
  return hasTo ? `, at most ${to}${unit}` : "";
}

const value = (given: unknown): string =>
  `<code>${escaped(typeof given === "string" ? given : JSON.stringify(given))}</code>`;
