// SPDX-License-Identifier: Apache-2.0
/**
 * The place of an adapter's objects in Cloud Storage, and the bounds of its requests. Every adapter of this folder is
 * made from it.
 */
import { MINUTE_MS } from "../../domain/rules/time";
import { bucketProblem } from "./bucket-name";

export interface GcsOptions {
  bucket: string;
  /** The folder of the bucket that holds all names, e.g. `archive`; empty: the bucket's root. */
  prefix: string;
  /** A server other than Google's, e.g. an emulator: `http://127.0.0.1:4443`. */
  endpoint?: string;
  /** Whether requests carry Google credentials (application default). Default: when no `endpoint` is given. */
  authenticate?: boolean;
  /** The number of concurrent requests; further ones wait in order. Default 16. */
  concurrency?: number;
  /** The deadline of one request, from its first byte to the answer's last. Default 30 s. */
  requestTimeoutMs?: number;
  /** The number of attempts of an operation. Default 6. */
  maxAttempts?: number;
  /** The time after the first attempt in which another may begin. Default 60 s. */
  retryWithinMs?: number;
  /** The first pause before another attempt; it doubles up to 5 s, with full jitter. Default 100. */
  retryPauseMs?: number;
  /** Returns numbers uniform in [0, 1), for the jitter of the pauses. */
  random?: () => number;
}

export type GcsConfig = Required<Omit<GcsOptions, "endpoint">> & {
  endpoint: URL;
};

const FOLDER_RULE =
  "its parts are letters, digits, . _ = and -, each beginning with a letter or a digit, with / between them";
const PREFIX = /^(?:[A-Za-z0-9][A-Za-z0-9._=-]*\/)*$/;

/**
 * Returns the options with all defaults, and with a prefix that ends in a slash. Throws a RangeError for an invalid
 * bucket, prefix or bound.
 */
export function gcsConfig(options: GcsOptions): GcsConfig {
  const { bucket, endpoint } = options;
  const problem = bucketProblem(bucket);
  if (problem !== undefined) throw new RangeError(`"${bucket.slice(0, 80)}": ${problem}`);
  const prefix = options.prefix === "" || options.prefix.endsWith("/") ? options.prefix : `${options.prefix}/`;
  if (!PREFIX.test(prefix))
    throw new RangeError(`"${options.prefix.slice(0, 80)}" is not a folder of a bucket: ${FOLDER_RULE}`);
  return {
    bucket,
    prefix,
    endpoint: new URL(endpoint ?? "https://storage.googleapis.com"),
    authenticate: options.authenticate ?? endpoint === undefined,
    concurrency: atLeastOne("concurrency", options.concurrency ?? 16),
    requestTimeoutMs: atLeastOne("requestTimeoutMs", options.requestTimeoutMs ?? 30_000),
    maxAttempts: atLeastOne("maxAttempts", options.maxAttempts ?? 6),
    retryWithinMs: atLeastOne("retryWithinMs", options.retryWithinMs ?? MINUTE_MS),
    retryPauseMs: atLeastOne("retryPauseMs", options.retryPauseMs ?? 100),
    random: options.random ?? Math.random,
  };
}

function atLeastOne(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} must be a positive integer, not ${value}`);
  return value;
}
