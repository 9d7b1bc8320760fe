// SPDX-License-Identifier: Apache-2.0
/** What must exist outside of a deployment, in the form in which the `init` commands show and create it. */

/** A place that must exist before a deployment starts: a topic, group, subscription, bucket or table. */
export interface Place {
  kind: "topic" | "group" | "subscription" | "bucket" | "table";
  name: string;
  /**
   * `created` and `changed` are done by this call. `missing` and `differs` places need a remedy, and stay as they are.
   */
  outcome: "exists" | "created" | "changed" | "missing" | "differs";
  /** The differences from the required state, in words. */
  differences: readonly string[];
}

export const isAsItMustBe = ({ outcome }: Place): boolean => outcome !== "missing" && outcome !== "differs";

/** One difference from the required state. */
export interface Difference {
  words: string;
  /** Whether the difference can be removed without touching the content of the place. */
  canChange: boolean;
}

/**
 * Returns the place after all differences that can be changed have been changed, or without any change where changes
 * are not allowed.
 */
export function placeOf(kind: Place["kind"], name: string, found: readonly Difference[], changed: boolean): Place {
  const left = changed ? found.filter(({ canChange }) => !canChange) : found;
  const differences = left.map(({ words }) => words);
  if (left.length > 0) return { kind, name, outcome: "differs", differences };
  return { kind, name, outcome: found.length > 0 ? "changed" : "exists", differences };
}
