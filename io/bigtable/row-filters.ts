/** Filters of reads, as Bigtable wants them. */
import type { RowFilter } from "./rows";

/** Columns from `start` (with it) to `end` (without). */
export function columnRange(family: string, start: string, end: string): RowFilter {
  return {
    columnRangeFilter: {
      familyName: family,
      startQualifierClosed: Buffer.from(start, "latin1"),
      endQualifierOpen: Buffer.from(end, "latin1"),
    },
  };
}

/** As a literal in an RE2 expression. */
export function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/g, "\\$&");
}
