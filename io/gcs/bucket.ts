// SPDX-License-Identifier: Apache-2.0
/** The bucket of a deployment: looked at, and made. */
import { type Difference, type Place, placeOf } from "../ports/places";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

interface WantedBucket {
  project: string;
  /** Where a bucket that is made keeps its objects, e.g. EU or europe-west1; empty: Google's default, US. */
  location: string;
  /** Folders below which nothing may be deleted before its time, and the days that it must be kept. */
  kept: readonly { prefix: string; days: number }[];
}

/** As the JSON API gives a bucket, as far as it matters. */
interface BucketAnswer {
  lifecycle?: { rule?: LifecycleRule[] };
}

interface LifecycleRule {
  action?: { type?: string };
  condition?: { age?: number; matchesPrefix?: string[]; isLive?: boolean };
}

/**
 * Looks at the bucket; with `change` makes it where it is missing. Rejects with `StoreUnavailableError`, and a
 * RangeError for what cannot be a name.
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

/** Rules of the bucket's lifecycle that delete what is still needed. */
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
