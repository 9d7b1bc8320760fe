// SPDX-License-Identifier: Apache-2.0
/** Filters of reads, in Bigtable's form. The reads of this folder select columns with them. */
import { MINUTE_FAMILY } from "./row-keys";
import type { RowFilter } from "./rows";

/** Matches columns from `start` (inclusive) to `end` (exclusive). */
export function columnRange(family: string, start: string, end: string): RowFilter {
  return {
    columnRangeFilter: {
      familyName: family,
      startQualifierClosed: Buffer.from(start, "latin1"),
      endQualifierOpen: Buffer.from(end, "latin1"),
    },
  };
}

/** Matches all columns of a family, without a regular expression, which the emulator compiles anew for every row. */
export function allOf(family: string): RowFilter {
  return { columnRangeFilter: { familyName: family } };
}

/** Matches a type's columns of a minute row. */
export function minutesOfType(eventType: string): RowFilter {
  return columnRange(MINUTE_FAMILY, `${eventType}:`, `${eventType};`);
}

/** Escapes a text as a literal of an RE2 expression. */
export function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/g, "\\$&");
}
