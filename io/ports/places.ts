// SPDX-License-Identifier: Apache-2.0
/** What a deployment needs to be there before it starts: topics, groups, subscriptions, buckets, tables. */
export interface Place {
  kind: "topic" | "group" | "subscription" | "bucket" | "table";
  name: string;
  /** `created` and `changed`: by this call; `missing` and `differs`: it is not as it must be, and stays so. */
  outcome: "exists" | "created" | "changed" | "missing" | "differs";
  /** What is not as it must be, in words. */
  differences: readonly string[];
}

export const isAsItMustBe = ({ outcome }: Place): boolean => outcome !== "missing" && outcome !== "differs";

/** One thing that is not as it must be. */
export interface Difference {
  words: string;
  /** Whether it can be set right without touching what is in the place. */
  canChange: boolean;
}

/**
 * The place as it is left when the differences that can be changed have been changed, or none when nothing may change.
 */
export function placeOf(kind: Place["kind"], name: string, found: readonly Difference[], changed: boolean): Place {
  const left = changed ? found.filter(({ canChange }) => !canChange) : found;
  const differences = left.map(({ words }) => words);
  if (left.length > 0) return { kind, name, outcome: "differs", differences };
  return { kind, name, outcome: found.length > 0 ? "changed" : "exists", differences };
}
