import type { IncomingHttpHeaders } from "node:http";
import { type Problem, unsupported } from "./problem";

export const BATCH_CONTENT_TYPE = "application/vnd.viewmill.batch+avro";

const FORMATS = {
  "application/json": "json",
  "application/x-ndjson": "ndjson",
  "application/cloudevents+json": "cloudevent",
  "application/cloudevents-batch+json": "cloudevents-batch",
  [BATCH_CONTENT_TYPE]: "batch",
} as const;

export type BodyFormat = (typeof FORMATS)[keyof typeof FORMATS];
export type BodyEncoding = "identity" | "gzip" | "zstd";

export interface BodyShape {
  format: BodyFormat;
  /** The media type without parameters, as a dead letter of this body is sent again. */
  contentType: string;
  encoding: BodyEncoding;
}

const ACCEPTED = { Accept: Object.keys(FORMATS).join(", "), "Accept-Encoding": "gzip, zstd, identity" };

/** What the headers say the body is, or the 415 that answers them. */
export function bodyShape(headers: IncomingHttpHeaders): { shape: BodyShape } | { problem: Problem } {
  const [type = "", ...parameters] = (headers["content-type"] ?? "").split(";");
  const contentType = type.trim().toLowerCase();
  const format = Object.hasOwn(FORMATS, contentType) ? FORMATS[contentType as keyof typeof FORMATS] : undefined;
  if (format === undefined) {
    const given = contentType === "" ? "Content-Type is missing" : `${contentType.slice(0, 100)} is not accepted`;
    return { problem: unsupported(`${given}; send one of ${ACCEPTED.Accept}`, ACCEPTED) };
  }
  const charset = parameters.map((text) => /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i.exec(text)?.[1]).find(Boolean);
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    return { problem: unsupported(`charset ${charset.slice(0, 40)} is not accepted; JSON is UTF-8`, ACCEPTED) };
  }
  const encoding = bodyEncoding(headers["content-encoding"]);
  if (encoding === undefined) {
    return { problem: unsupported("Content-Encoding must be one of gzip, zstd, identity", ACCEPTED) };
  }
  return { shape: { format, contentType, encoding } };
}

function bodyEncoding(header: string | undefined): BodyEncoding | undefined {
  const encoding = (header ?? "").trim().toLowerCase();
  if (encoding === "" || encoding === "identity") return "identity";
  if (encoding === "gzip" || encoding === "x-gzip") return "gzip";
  return encoding === "zstd" ? "zstd" : undefined;
}
