// SPDX-License-Identifier: Apache-2.0
/**
 * The headers of a request decide how its body is read: this file knows the accepted media types and encodings. The
 * write API and the replay of dead letters ask it before a body is judged.
 */
import type { Compression } from "../io/formats/compression/inflate";
import { isJsonMediaType } from "./json/cloud-event";
import { BATCH_CONTENT_TYPE } from "./take-batch";
import { CLOUD_EVENT_TYPE, JSON_TYPE } from "./take-json";
import { NDJSON_TYPE } from "./take-lines";

const FORMATS = {
  [JSON_TYPE]: "json",
  // The type that sendBeacon gives to a page's JSON.
  "text/plain": "json",
  [NDJSON_TYPE]: "ndjson",
  [CLOUD_EVENT_TYPE]: "cloudevent",
  "application/cloudevents-batch+json": "cloudevents-batch",
  [BATCH_CONTENT_TYPE]: "batch",
} as const;

type PlainFormat = (typeof FORMATS)[keyof typeof FORMATS];
export type ContentFormat = PlainFormat | "cloudevent-binary";

/** The form of a body, as its headers state it. */
export type Content =
  | { format: PlainFormat; encoding: Compression | "identity" }
  | {
      format: "cloudevent-binary";
      encoding: Compression | "identity";
      /** The attributes of the event, by their names without `ce-`. */
      attributes: Readonly<Record<string, string>>;
      /** The media type of the data; empty where the body is empty. */
      dataType: string;
    };

export const ACCEPTED_TYPES = Object.keys(FORMATS).join(", ");
export const ACCEPTED_ENCODINGS = "gzip, zstd, identity";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Returns the form that the headers (their names in lower case) state, or why they are not accepted. */
export function contentOf(headers: Headers): { content: Content } | { unsupported: string } {
  if (isPlainJson(headers)) return PLAIN_JSON;
  const [type = "", ...parameters] = text(headers["content-type"]).split(";");
  const mediaType = type.trim().toLowerCase();
  const charset = parameters.map(charsetIn).find((each) => each !== "");
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    return { unsupported: `charset ${charset.slice(0, 40)} is not accepted; JSON is UTF-8` };
  }
  const encoding = encodingOf(text(headers["content-encoding"]));
  if (encoding === undefined) return { unsupported: "Content-Encoding must be one of gzip, zstd, identity" };
  const given = mediaType === "" ? "Content-Type is missing" : `${mediaType.slice(0, 100)} is not accepted`;
  const isStructured = mediaType.startsWith("application/cloudevents");
  const attributes = isStructured ? undefined : binaryAttributes(headers);
  if (attributes !== undefined) {
    const isJson = mediaType === "text/plain" || isJsonMediaType(mediaType);
    const isEmpty = mediaType === "" && text(headers["content-length"]) === "0";
    if (!isJson && !isEmpty) return { unsupported: `${given}; the data of a CloudEvent in binary mode must be JSON` };
    const dataType = mediaType === "text/plain" ? JSON_TYPE : mediaType;
    return { content: { format: "cloudevent-binary", encoding, attributes, dataType } };
  }
  const format = Object.hasOwn(FORMATS, mediaType) ? FORMATS[mediaType as keyof typeof FORMATS] : undefined;
  if (format === undefined) return { unsupported: `${given}; send one of ${ACCEPTED_TYPES}` };
  return { content: { format, encoding } };
}

/**
 * Returns the charset that a parameter of a media type states, or nothing. A pattern with several optional spaces would
 * try each way to part them, which takes minutes for a header of some kilobytes.
 */
function charsetIn(parameter: string): string {
  const [name = "", ...value] = parameter.split("=");
  if (name.trim().toLowerCase() !== "charset") return "";
  const stated = value.join("=").trim();
  const isQuoted = stated.length >= 2 && stated.startsWith('"') && stated.endsWith('"');
  return isQuoted ? stated.slice(1, -1) : stated;
}

const PLAIN_JSON: { content: Content } = { content: { format: "json", encoding: "identity" } };

/** The headers of most requests, found by a look-up. */
const isPlainJson = (headers: Headers): boolean =>
  headers["content-type"] === JSON_TYPE &&
  headers["content-encoding"] === undefined &&
  headers["ce-specversion"] === undefined &&
  headers["ce-id"] === undefined;

function encodingOf(header: string): Compression | "identity" | undefined {
  const encoding = header.trim().toLowerCase();
  if (encoding === "" || encoding === "identity") return "identity";
  if (encoding === "gzip" || encoding === "x-gzip") return "gzip";
  return encoding === "zstd" ? "zstd" : undefined;
}

const ATTRIBUTE = /^ce-([a-z0-9]{1,64})$/;

/**
 * Returns the attributes of a CloudEvent in binary mode, which has `ce-specversion` or `ce-id`; undefined for any other
 * request.
 */
function binaryAttributes(headers: Headers): Record<string, string> | undefined {
  if (headers["ce-specversion"] === undefined && headers["ce-id"] === undefined) return undefined;
  const attributes: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    const attribute = ATTRIBUTE.exec(name)?.[1];
    if (attribute !== undefined && attribute !== "data") attributes[attribute] = percentDecoded(text(value));
  }
  return attributes;
}

/**
 * Decodes percent-encoded UTF-8, in which headers carry other characters (HTTP binding 1.0.2, section 3.1.3.2). Any
 * other text stays unchanged.
 */
function percentDecoded(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const text = (header: string | string[] | undefined): string =>
  Array.isArray(header) ? header.join(", ") : (header ?? "");
