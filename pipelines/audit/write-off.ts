// SPDX-License-Identifier: Apache-2.0
/** Losses that the operator accepts as final: `viewmill books write-off` calls it. */
import type { ArchivedObject, AuditReport, FoundLoss, Ledger, WriteOff } from "../../io/ports";
import { type AuditDependencies, type AuditRange, runAudit } from "./audit";

export interface WrittenOff {
  /** The audit that looked for losses. */
  found: AuditReport;
  /** The losses written off now; empty where no event was missing for good. */
  losses: WriteOff[];
  /** The audit with repair afterwards; absent where no loss was written off. */
  settled?: AuditReport;
}

/**
 * Writes off the losses that an audit of the range finds: accepted events that are in no object although every message
 * accepted before is archived, in minutes that the stream has passed. From then on the archive is the truth of these
 * minutes, and the audit with repair that follows makes counters and books agree with it. Events that go missing later
 * are another loss, which the next audit reports.
 */
export async function writeOffLosses(
  deps: AuditDependencies,
  range: Omit<AuditRange, "repair">,
  reason: string,
): Promise<WrittenOff> {
  const found = await runAudit(deps, { ...range, repair: false });
  const losses: WriteOff[] = [];
  let report = found;
  // A report lists a bounded number of losses; the next report has the others.
  while (report.losses !== undefined) {
    const some = await writeOffsOf(report, deps, reason);
    await takeOffList(deps.ledger, report.losses);
    await deps.ledger.writeOff(some);
    losses.push(...some);
    report = await runAudit(deps, { ...range, repair: true });
  }
  return losses.length === 0 ? { found, losses } : { found, losses, settled: report };
}

async function writeOffsOf(
  { id, losses = [] }: AuditReport,
  { ledger, clock }: Pick<AuditDependencies, "ledger" | "clock">,
  reason: string,
): Promise<WriteOff[]> {
  const writeOffs: WriteOff[] = [];
  for (const { minute, events } of losses) {
    const [books] = await ledger.books(minute, minute + 1);
    const before = books?.writtenOff;
    const atMs = Math.max(clock(), (before?.atMs ?? 0) + 1);
    writeOffs.push({ minute, events: events + (before?.events ?? 0), reason, atMs, auditId: id });
  }
  return writeOffs;
}

/** A lost object is listed without events; the accepted events of its messages stay in the books. */
async function takeOffList(ledger: Pick<Ledger, "archivedObjects" | "addObjects">, losses: readonly FoundLoss[]) {
  for (const { minute, objects } of losses) {
    if (objects.length === 0) continue;
    const absent = new Set(objects);
    const listed = (await ledger.archivedObjects(minute, minute + 1)).filter(({ name }) => absent.has(name));
    await ledger.addObjects(listed.map(withoutEvents), [minute]);
  }
}

function withoutEvents({ messages, ...object }: ArchivedObject): ArchivedObject {
  return {
    ...object,
    ...{ events: 0, sizeBytes: 0 },
    ...(messages && { messages: messages.map((message) => ({ ...message, events: 0 })) }),
  };
}
