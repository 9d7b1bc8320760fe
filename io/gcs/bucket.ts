// SPDX-License-Identifier: Apache-2.0
/** Checks and creates the bucket of a deployment. `viewmill storage init` runs it. */
import { type Place, placeOf } from "../ports/places";
import { type BucketAnswer, differencesOf, type WantedBucket } from "./bucket-differences";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

/**
 * Checks the bucket; with `change` creates a missing one. Rejects with `StoreUnavailableError`, and with a RangeError
 * for an invalid name.
 */
export async function bucketPlace(options: GcsOptions, wanted: WantedBucket, change: boolean): Promise<Place> {
  const objects = new GcsObjects(options);
  const name = options.bucket;
  try {
    const answer = await objects.bucket<BucketAnswer>();
    if (answer !== undefined) return placeOf("bucket", name, differencesOf(answer, wanted), change);
    if (!change) return { kind: "bucket", name, outcome: "missing", differences: ["there is no such bucket"] };
    await objects.createBucket(wanted.project, {
      ...(wanted.location === "" ? {} : { location: wanted.location }),
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: "enforced" },
    });
    return { kind: "bucket", name, outcome: "created", differences: [] };
  } finally {
    objects.close();
  }
}
