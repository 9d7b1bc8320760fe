// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a recounted minute may be compared, from the books of its parts. The comparison of hours and the audit's
 * report judge alike by it.
 */
import type { RecountBooks } from "./audit-elements";
import type { Recount } from "./minute-recount";

/** The books of a minute over all its parts. */
export type MinuteRow = Omit<RecountBooks, "part" | "of">;

/**
 * Combines the books of a minute's parts. Parts that were read at different times may have found different objects:
 * such a minute is `changed`, and its cells must not be compared. Throws where a part is missing or arrives twice.
 * Either would be a bug, and half a minute must never be compared.
 */
export function verdictOf(parts: readonly RecountBooks[]): { row: MinuteRow; isChanged: boolean } {
  const [first] = parts;
  if (first === undefined || parts.length !== first.of || new Set(parts.map(({ part }) => part)).size !== first.of)
    throw new Error(`minute ${first?.minute}: ${parts.length} of ${first?.of} parts were recounted`);
  const { changeSequence, objectsKey } = first;
  const isChanged = parts.some((each) => each.objectsKey !== objectsKey || each.changeSequence !== changeSequence);
  const notComparable = parts.find((each) => each.notComparable !== "")?.notComparable ?? "";
  const counted = parts.map((each) => each.counted).reduce(added);
  return { row: { ...first, counted, notComparable }, isChanged };
}

function added(a: Recount, b: Recount): Recount {
  return {
    events: a.events + b.events,
    distinct: a.distinct + b.distinct,
    lateCounted: a.lateCounted + b.lateCounted,
    lateDuplicate: a.lateDuplicate + b.lateDuplicate,
    backfillCounted: a.backfillCounted + b.backfillCounted,
    backfillDuplicate: a.backfillDuplicate + b.backfillDuplicate,
  };
}
