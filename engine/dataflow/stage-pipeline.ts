// SPDX-License-Identifier: Apache-2.0
import { DataflowError, kindOfStatus } from "./dataflow-error";
import type { GoogleRest } from "./google-rest";

const UPLOAD_DEADLINE_MS = 180_000;

/**
 * Writes the graph to `gs://BUCKET/NAME` by Google's client, with a checksum. A failed write is repeated, which is safe
 * because the name depends on the content alone. Rejects with DataflowError. The runner stages each job with it, before
 * it creates the job.
 */
export async function stagePipeline(rest: GoogleRest, url: string, content: Uint8Array): Promise<void> {
  const [, bucket, name] = /^gs:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
  if (bucket === undefined || name === undefined) throw new DataflowError(`"${url}" is no gs://BUCKET/NAME`, "refused");
  const { IdempotencyStrategy, Storage } = await import("@google-cloud/storage");
  const { OAuth2Client } = await import("google-auth-library");
  const authClient = new OAuth2Client();
  // The token's time of expiry is left out: the library would refresh a token with less than five minutes left, and it
  // cannot refresh this one.
  authClient.setCredentials({ access_token: await rest.token() });
  const storage = new Storage({
    authClient,
    ...(rest.endpoint === undefined ? {} : { apiEndpoint: rest.endpoint, useAuthWithCustomEndpoint: true }),
    retryOptions: {
      autoRetry: true,
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
      maxRetries: 5,
      totalTimeout: UPLOAD_DEADLINE_MS / 1000,
    },
  });
  const saved = storage
    .bucket(bucket)
    .file(name)
    .save(Buffer.from(content), { resumable: false, validation: "crc32c", contentType: "application/octet-stream" });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = () => reject(new DataflowError(`${url}: not written within ${UPLOAD_DEADLINE_MS} ms`, "timeout"));
    timer = setTimeout(error, UPLOAD_DEADLINE_MS);
  });
  try {
    await Promise.race([saved, late]);
  } catch (error) {
    if (error instanceof DataflowError) throw error;
    const { code, message } = error as { code?: unknown; message: string };
    const status = Number(code);
    const known = Number.isInteger(status);
    const kind = known ? kindOfStatus(status) : "unreachable";
    throw new DataflowError(`${url}: ${message}`, kind, { cause: error, ...(known ? { status } : {}) });
  } finally {
    clearTimeout(timer);
  }
}
