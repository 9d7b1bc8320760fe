// SPDX-License-Identifier: Apache-2.0
/**
 * The OpenAPI document, made from the endpoints and their schemas. GET /openapi.json answers with it, and the
 * documentation's page shows it.
 */
import { z } from "zod";
import type { Endpoint } from "./endpoint";
import {
  acceptedSchema,
  channelIdSchema,
  components,
  eventSchema,
  eventsSchema,
  keyIdSchema,
  problemSchema,
  videoIdSchema,
} from "./schemas";

export interface OpenApi {
  openapi: string;
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, JsonSchema> };
}

export interface OpenApiOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: OpenApiParameter[];
  requestBody?: { required: true; content: Record<string, { schema: JsonSchema }> };
  responses: Record<string, OpenApiResponse>;
  /** The accepted kinds of keys, where the service has keys; none where every client may ask. */
  security: Record<string, readonly string[]>[];
}

export interface OpenApiParameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

interface OpenApiResponse {
  description: string;
  headers?: Record<string, { description: string; schema: JsonSchema }>;
  content?: Record<string, { schema: JsonSchema }>;
}

export type JsonSchema = { [keyword: string]: unknown };

const DESCRIPTION = `Counts what happens to videos, exactly and live.

Times are RFC 3339. A range is half-open, [start, end), widened to whole minutes (with a granularity to whole
buckets: minutes and hours of UTC, days, weeks and months of the time zone tz), and echoed as it was answered. Without start and end it is the last 24 hours.

Reads carry a weak ETag of everything but asOf and completeThrough; both also come as the headers Viewmill-As-Of and
Viewmill-Complete-Through, on a 304 too. Cache-Control is as the least certain bucket's state: provisional one second, final
a minute, audited a day. Errors are RFC 9457 problems.`;

const STATUS: Readonly<Record<number, string>> = {
  400: "The request cannot be understood",
  404: "There is nothing of that name",
  413: "The body is too large",
  415: "The body's type or encoding is not supported",
  401: "A key is needed, or the one given is none",
  403: "The key may not do this",
  429: "Too much is asked at once; see Retry-After",
  500: "The request failed",
  503: "Something the service needs is not there; see Retry-After",
};

/** Returns the OpenAPI 3.1 document of the endpoints and of the write API, from the schemas that check requests. */
export function openApiDocument(endpoints: readonly Endpoint[]): OpenApi {
  const paths: OpenApi["paths"] = {
    "/v1/events": { post: writeOperation() },
    "/v1/pixel.gif": { get: pixelOperation() },
  };
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method]: operationOf(endpoint) };
  }
  return {
    openapi: "3.1.1",
    info: { title: "Viewmill", version: "1", description: DESCRIPTION },
    servers: [{ url: "/" }],
    tags: [
      { name: "events", description: "Sending events" },
      { name: "counters", description: "Reading what was counted" },
      { name: "catalog", description: "Titles and channels of videos" },
      { name: "proof", description: "That the numbers are right" },
      { name: "operation", description: "Running the service" },
    ],
    paths,
    components: { schemas: componentSchemas(), securitySchemes: SECURITY_SCHEMES },
  };
}

function operationOf({ path, query, body, operation }: Endpoint): OpenApiOperation {
  const {
    operationId,
    tag,
    summary,
    description,
    answer,
    contentType,
    requestType,
    problems,
    scope = "read",
  } = operation;
  const parameters = [...pathParameters(path), ...queryParameters(query)];
  const type = contentType ?? "application/json";
  const schema = answer === undefined ? { type: "string" } : refTo(answer);
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [requestType ?? "application/json"]: { schema: refTo(body) } } } }),
    responses: {
      200: { description: "The answer", content: { [type]: { schema } } },
      ...(tag === "operation" || body !== undefined ? {} : { 304: { description: "Unchanged since the ETag given" } }),
      ...problemResponses([...problems, ...(scope === "none" ? [] : REFUSALS), 500]),
    },
    security: scope === "none" ? [] : [{ key: [scope] }, {}],
  };
}

/** The refusals of any request that needs a key. */
const REFUSALS = [401, 403, 429, 503];

const SECURITY_SCHEMES = {
  key: {
    type: "http",
    scheme: "bearer",
    description: "A key of the scope named. A service on loopback may have no keys, and then asks for none.",
  },
  publicKey: { type: "apiKey", in: "query", name: "key", description: "A public key, which may write alone" },
};

function writeOperation(): OpenApiOperation {
  const schema = refTo(eventsSchema);
  return {
    operationId: "sendEvents",
    tags: ["events"],
    summary: "Sends events, each counted once however often it comes",
    description:
      "Answered once every accepted event is durable. Content-Encoding: gzip or zstd. At most 8 MiB (decoded) and 10,000 events. One bad event does not take the others down. A CloudEvent needs specversion, source, id, subject (the videoId) and type; its time is RFC 3339, and its value is data.value. In binary mode its attributes are ce- headers, and its data is JSON.",
    requestBody: {
      required: true,
      content: {
        "application/json": { schema },
        "text/plain": { schema: { type: "string", description: "JSON, as pages send it by sendBeacon" } },
        "application/x-ndjson": { schema: { type: "string", description: "One event a line" } },
        "application/cloudevents+json": { schema: { type: "object" } },
        "application/cloudevents-batch+json": { schema: { type: "array" } },
        "application/vnd.viewmill.batch+avro": { schema: { type: "string", contentEncoding: "binary" } },
      },
    },
    responses: {
      202: {
        description: "What was accepted and what was not",
        content: { "application/json": { schema: refTo(acceptedSchema) } },
      },
      ...problemResponses([400, 401, 403, 413, 415, 429, 500, 503]),
    },
    security: [{ key: ["write"] }, { publicKey: ["write"] }, {}],
  };
}

function pixelOperation(): OpenApiOperation {
  return {
    operationId: "sendPixel",
    tags: ["events"],
    summary: "Sends one event by the address of a picture",
    description:
      "For places without a script. The event counts once by its eventId, however often the picture is loaded; an event that cannot be accepted is a problem and a dead letter.",
    parameters: queryParameters(eventSchema),
    responses: {
      200: { description: "A picture of one pixel", content: { "image/gif": { schema: { type: "string" } } } },
      ...problemResponses([400, 401, 403, 429, 500, 503]),
    },
    security: [{ key: ["write"] }, { publicKey: ["write"] }, {}],
  };
}

function problemResponses(statuses: readonly number[]): Record<string, OpenApiResponse> {
  const content = { "application/problem+json": { schema: refTo(problemSchema) } };
  return Object.fromEntries(
    statuses.map((status) => [status, { description: STATUS[status] ?? "A problem", content }]),
  );
}

function pathParameters(path: string): OpenApiParameter[] {
  if (path.includes("{name}")) return [{ name: "name", in: "path", required: true, schema: { type: "string" } }];
  if (path.includes("{keyId}")) {
    return [{ name: "keyId", in: "path", required: true, schema: jsonSchema(keyIdSchema) }];
  }
  if (path.includes("{channelId}"))
    return [{ name: "channelId", in: "path", required: true, schema: jsonSchema(channelIdSchema) }];
  if (!path.includes("{videoId}")) return [];
  const schema = jsonSchema(videoIdSchema);
  return [{ name: "videoId", in: "path", required: true, schema }];
}

function queryParameters(query: z.ZodObject): OpenApiParameter[] {
  const { properties = {}, required = [] } = jsonSchema(query) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(typeof description === "string" ? { description } : {}),
    schema,
  }));
}

/** Returns the schema of a value in the request, before transforms and defaults. */
function jsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}

function componentSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(components, {
    io: "input",
    uri: refOf,
    unrepresentable: "any",
    // zod adds a pattern of 200 characters that is equivalent to the format.
    override: ({ jsonSchema: made }) => {
      if (made.format === "date-time") delete made.pattern;
    },
  });
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]));
}

const refOf = (id: string): string => `#/components/schemas/${id}`;

function refTo(schema: z.ZodType): JsonSchema {
  const id = components.get(schema)?.id;
  if (id === undefined) throw new Error("a schema of the document has no name");
  return { $ref: refOf(id) };
}
