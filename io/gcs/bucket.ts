// SPDX-License-Identifier: Apache-2.0
/** Checks and creates the bucket of a deployment. */
import { type Difference, type Place, placeOf } from "../ports/places";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

interface WantedBucket {
  project: string;
  /** The location of a new bucket, e.g. EU or europe-west1; empty: Google's default, US. */
  location: string;
  /** Folders whose objects must not be deleted before these many days. */
  kept: readonly { prefix: string; days: number }[];
}

/** The fields of the JSON API's bucket that matter here. */
interface BucketAnswer {
  lifecycle?: { rule?: LifecycleRule[] };
}

interface LifecycleRule {
  action?: { type?: string };
  condition?: { age?: number; matchesPrefix?: string[]; isLive?: boolean };
}

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

/** Returns the rules of the bucket's lifecycle that delete objects which are still needed. */
export function differencesOf({ lifecycle }: BucketAnswer, { kept }: WantedBucket): Difference[] {
  return (lifecycle?.rule ?? []).flatMap(({ action, condition = {} }) => {
    const { age, matchesPrefix, isLive } = condition;
    if (action?.type !== "Delete" || age === undefined || isLive === false) return [];
    const early = kept.filter(({ prefix, days }) => age < days && reaches(matchesPrefix, prefix));
    return early.map(({ prefix, days }) => ({
      words: `its lifecycle deletes what is ${age} days old below ${prefix}, which must be kept ${days} days`,
      canChange: false,
    }));
  });
}

const reaches = (prefixes: readonly string[] | undefined, folder: string): boolean =>
  prefixes === undefined || prefixes.some((prefix) => prefix.startsWith(folder) || folder.startsWith(prefix));
