// SPDX-License-Identifier: Apache-2.0
// A copy of io/gcs/bucket-name.ts: engine/ is a package of its own, and shares no code with the application. The
// staging folder of a job is checked with it before anything is sent (job.ts).
/* jscpd:ignore-start */
/**
 * Returns why no bucket can have this name, in words; undefined where one can.
 * https://cloud.google.com/storage/docs/buckets#naming
 */
export function bucketProblem(name: string): string | undefined {
  if (name.length < 3) return "a bucket's name has at least three characters";
  if (name.length > 222) return "a bucket's name has at most 222 characters";
  if (/[^a-z0-9._-]/.test(name)) return "a bucket's name has lower-case letters, digits, - _ and . only";
  if (!/^[a-z0-9].*[a-z0-9]$/.test(name)) return "a bucket's name begins and ends with a letter or a digit";
  if (name.split(".").some((part) => part.length > 63 || part === ""))
    return "a bucket's name has 1 to 63 characters between its dots";
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return "a bucket's name is no IP address";
  return undefined;
}
/* jscpd:ignore-end */
