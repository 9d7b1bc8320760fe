// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/schema";

/**
 * Returns bucket and folder of an adapter; without an endpoint, Cloud Storage itself with credentials. Every store of a
 * deployment that is in a bucket is opened with it.
 */
export function gcsLocation(
  { gcs }: Settings<"gcs">,
  prefix: string,
): { bucket: string; prefix: string; endpoint?: string } {
  return { bucket: gcs.bucket, prefix, ...(gcs.endpoint === "" ? {} : { endpoint: gcs.endpoint }) };
}
