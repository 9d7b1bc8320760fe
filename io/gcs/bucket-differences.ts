// SPDX-License-Identifier: Apache-2.0
/** What a bucket has that a deployment cannot live with. `viewmill storage init` shows the differences. */
import type { Difference } from "../ports/places";

export interface WantedBucket {
  project: string;
  /** The location of a new bucket, e.g. EU or europe-west1; empty: Google's default, US. */
  location: string;
  /** Folders whose objects must not be deleted before these many days. */
  kept: readonly { prefix: string; days: number }[];
}

/** The fields of the JSON API's bucket that matter here. */
export interface BucketAnswer {
  lifecycle?: { rule?: LifecycleRule[] };
}

interface LifecycleRule {
  action?: { type?: string };
  condition?: { age?: number; matchesPrefix?: string[]; isLive?: boolean };
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
