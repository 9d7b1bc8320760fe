// SPDX-License-Identifier: Apache-2.0
import type { Ledger } from "../io/ports";

/** The ranges that are kept at once; readers of a busy service ask for few. */
const MOST_RANGES = 64;

type Counts = ReturnType<Ledger["auditedCounts"]>;

/**
 * Reads how many minutes of a range are audited once a while, for all requests of that while: all who ask for the last
 * week ask for the same minutes, whatever their video. The answer is older by `keptMs` at most, as the completeness is
 * (shared-freshness.ts), and was read before the counters that it is shown with. `serve` gives it to the read API
 * instead of the ledger's own reading.
 */
export function sharedAudits(
  ledger: Pick<Ledger, "auditedCounts">,
  keptMs: number,
  now = () => performance.now(),
): Ledger["auditedCounts"] {
  const kept = new Map<string, { atMs: number; counts: Counts }>();
  return (fromMinute, toMinute, bucketMinutes) => {
    const asked = `${fromMinute} ${toMinute} ${bucketMinutes}`;
    const known = kept.get(asked);
    const atMs = now();
    if (known !== undefined && atMs - known.atMs < keptMs) return known.counts;
    if (kept.size >= MOST_RANGES) kept.clear();
    const mine = { atMs, counts: ledger.auditedCounts(fromMinute, toMinute, bucketMinutes) };
    kept.set(asked, mine);
    mine.counts.catch(() => {
      if (kept.get(asked) === mine) kept.delete(asked);
    });
    return mine.counts;
  };
}
