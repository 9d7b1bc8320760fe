// SPDX-License-Identifier: Apache-2.0
/** Schemas in words: every keyword is said or shown. */
import { schemaWords } from "../../query-api/schema-words";

const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, "")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&");

it.each([
  [{ type: "integer", minimum: 1, maximum: 1_000, default: 100 }, "whole number, 1 to 1000; default 100"],
  [{ type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, "whole number, at least 0"],
  [{ type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }, "whole number"],
  [{ type: "number", maximum: 1.5 }, "number, at most 1.5"],
  [{ type: "string", format: "date-time" }, "time (RFC 3339)"],
  [{ type: "string", minLength: 1, maxLength: 128 }, "text, 1 to 128 characters"],
  [{ type: "string", pattern: "^<A>$", examples: ["A"] }, "text, as ^<A>$; such as A"],
  [{ type: "string", contentEncoding: "binary" }, "bytes"],
  [{ enum: ["minute", "hour"], type: "string" }, "minute or hour"],
  [{ const: true }, "true"],
  [{ anyOf: [{ type: "null" }, { type: "boolean" }] }, "null, or true or false"],
  [{ type: "array", items: { $ref: "#/components/schemas/Event" }, maxItems: 5 }, "list, at most 5 of Event"],
  [{ type: "object", properties: { a: {}, b: {} }, required: ["a"] }, "object with a, b"],
  [{ type: "object", additionalProperties: { type: "integer" } }, "object, each member whole number"],
  [{ type: "string", description: "The time zone, as asked" }, "text; The time zone, as asked"],
  [{}, "anything"],
])("%j", (schema, words) => {
  expect(textOf(schemaWords(schema))).toBe(words);
});

it("shows keywords that have no words here as they stand", () => {
  expect(textOf(schemaWords({ type: "integer", multipleOf: 5 }))).toBe("whole number; multipleOf 5");
  expect(textOf(schemaWords({ type: "array", uniqueItems: true, prefixItems: [{ "<": 1 }] }))).toBe(
    'list; uniqueItems true; prefixItems [{"<":1}]',
  );
});

it("leads to the schema that is named", () => {
  expect(schemaWords({ $ref: "#/components/schemas/Problem" })).toBe('<a href="#schema-Problem">Problem</a>');
});
