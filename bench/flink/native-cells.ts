// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { hourOfText } from "../../io/bigtable/row-keys";
import type { CountedCell } from "../data/counts-digest";

/** Version, count, sum of 16 bytes, last event. */
const FIXED_BYTES = 40;

/**
 * The cells that the native job wrote (CellWriter.java), each as its latest mutation has it. Throws when a mutation is
 * cut off. The native run compares its result with it.
 */
export function nativeCells(folder: string): Iterable<CountedCell> {
  const latest = new Map<string, CountedCell>();
  for (const name of readdirSync(folder).sort()) {
    for (const cell of mutations(readFileSync(join(folder, name)))) {
      const key = `${cell.videoId} ${cell.eventType} ${cell.minute}`;
      const known = latest.get(key);
      if (known === undefined || isLater(cell, known)) latest.set(key, cell);
    }
  }
  return latest.values();
}

/** The larger value of a repeat counts: where the count has not grown, the sum has. */
const isLater = (one: CountedCell, other: CountedCell): boolean =>
  one.count === other.count ? one.sum > other.sum : one.count > other.count;

function* mutations(bytes: Buffer): Generator<CountedCell> {
  for (let at = 0; at < bytes.length; ) {
    const [row, columnAt] = textAt(bytes, at);
    const [column, fixedAt] = textAt(bytes, columnAt);
    if (fixedAt + FIXED_BYTES > bytes.length) throw new Error("a mutation is cut off");
    yield {
      videoId: row.slice(14),
      eventType: column.slice(3),
      minute: hourOfText(row.slice(3, 13)) * MINUTES_AN_HOUR + Number(column.slice(0, 2)),
      count: Number(bytes.readBigInt64BE(fixedAt + 8)),
      sum: (bytes.readBigInt64BE(fixedAt + 16) << 64n) + bytes.readBigUInt64BE(fixedAt + 24),
    };
    at = fixedAt + FIXED_BYTES;
  }
}

function textAt(bytes: Buffer, at: number): [text: string, end: number] {
  const start = at + 1;
  const end = start + (bytes[at] ?? bytes.length);
  if (end > bytes.length) throw new Error("a mutation is cut off");
  return [bytes.latin1Slice(start, end), end];
}
