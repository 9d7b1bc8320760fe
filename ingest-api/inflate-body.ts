import { InflateError, inflateAsync, STRANGERS_WINDOW_LOG } from "../io/compression/inflate";
import type { BodyEncoding } from "./body-format";

export type Inflated = { kind: "bytes"; bytes: Buffer } | { kind: "too-large" } | { kind: "corrupt"; detail: string };

/** Undoes the Content-Encoding, all of it; a bomb never takes more memory than `maxBytes`. */
export async function inflateBody(bytes: Buffer, encoding: BodyEncoding, maxBytes: number): Promise<Inflated> {
  if (encoding === "identity") return { kind: "bytes", bytes };
  try {
    const bounds = { maxBytes, maxWindowLog: STRANGERS_WINDOW_LOG };
    return { kind: "bytes", bytes: await inflateAsync(bytes, encoding, bounds) };
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    if (error.kind === "too-large") return { kind: "too-large" };
    return { kind: "corrupt", detail: `the body is no ${encoding} stream: ${error.message}` };
  }
}
