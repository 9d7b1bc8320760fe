// SPDX-License-Identifier: Apache-2.0

/** The backfill as `viewmill backfill` runs it: archive the files, count their hours, audit them. */
import { setsAside } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import type { AuditReport } from "../../io/ports";
import { type AuditRange, runAudit } from "../audit/audit";
import type { BoundedDependencies, BoundedOptions } from "../bounded/bounded-stream";
import { type ArchiveFileDependencies, archiveFile } from "./archive-file";
import { countHours } from "./count-hours";
import { settleListings } from "./settle-listings";

export type BackfillDependencies = BoundedDependencies & ArchiveFileDependencies & Parameters<typeof runAudit>[0];

interface BackfillOptions {
  counting: BoundedOptions["counting"];
  allowedLatenessMs: AuditRange["allowedLatenessMs"];
  onArchived: (bytes: number) => void;
  onCounted: (done: number, of: number) => void;
}

interface Backfilled {
  accepted: number;
  rejected: number;
  minutes: number;
  /** The report of the audit; absent where no event was accepted. */
  report?: AuditReport;
}

/**
 * Counts old events: archives the files, counts the hours they touch, and runs an audit with repair over these hours.
 * The next run over the same files finishes a run that was stopped anywhere. Until then the ledger shows events that
 * are archived and not counted, and completeThrough stays before them.
 */
export async function backfill(
  files: readonly string[],
  deps: BackfillDependencies,
  { counting, allowedLatenessMs, onArchived, onCounted }: BackfillOptions,
): Promise<Backfilled> {
  const minutes = new Set<number>();
  let [accepted, rejected] = [0, 0];
  for (const file of files) {
    const result = await archiveFile(file, deps, onArchived);
    accepted += result.accepted;
    rejected += result.rejected;
    for (const minute of result.minutes) minutes.add(minute);
  }
  const counted = { accepted, rejected, minutes: minutes.size };
  if (minutes.size === 0) return counted;
  await settleListings(deps, minutes);
  // A cluster's stream reads the log alone; the audit counts the backfilled events.
  if (!setsAside(allowedLatenessMs)) await countHours(deps, minutes, counting, onCounted);
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const minute of minutes) [first, last] = [Math.min(first, minute), Math.max(last, minute)];
  const range = { fromMs: first * MINUTE_MS, toMs: (last + 1) * MINUTE_MS };
  return { ...counted, report: await runAudit(deps, { ...range, repair: true, allowedLatenessMs }) };
}
