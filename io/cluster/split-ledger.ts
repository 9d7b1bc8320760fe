// SPDX-License-Identifier: Apache-2.0
import type { EmbeddedLedger, Ledger, PendingRange } from "../ports";

type Checkpoints = Pick<
  EmbeddedLedger,
  "checkpoint" | "countedThrough" | "pending" | "setPending" | "completePass" | "deferred" | "completeSlice" | "close"
>;

/**
 * The state of an embedded stream whose counters, and so whose ledger, are elsewhere, while the checkpoint stays with
 * the log. A pass ends in two steps, the ledger first: a crash between them repeats a pass that changes nothing. The
 * stream process takes it where the embedded log counts into Bigtable.
 */
export function splitLedger(checkpoints: Checkpoints, ledger: Ledger): EmbeddedLedger {
  return {
    checkpoint: () => checkpoints.checkpoint(),
    pending: () => checkpoints.pending(),
    setPending: (range: PendingRange) => checkpoints.setPending(range),
    countedThrough: () => checkpoints.countedThrough(),
    deferred: () => checkpoints.deferred(),
    async completePass(position, objects, changedMinutes, deferred) {
      await ledger.addObjects(objects, changedMinutes);
      await checkpoints.completePass(position, [], [], deferred);
    },
    async completeSlice(range, countedFromMinute, objects, changedMinutes) {
      await ledger.addObjects(objects, changedMinutes);
      await checkpoints.completeSlice(range, countedFromMinute, [], []);
    },
    addObjects: (objects, changedMinutes) => ledger.addObjects(objects, changedMinutes),
    expireObjects: (objects) => ledger.expireObjects(objects),
    archivedObjects: (from, to) => ledger.archivedObjects(from, to),
    writeRows: (rows) => ledger.writeRows(rows),
    books: (from, to) => ledger.books(from, to),
    changeSequences: (from, to) => ledger.changeSequences(from, to),
    markAudited: (range) => ledger.markAudited(range),
    auditedCounts: (from, to, bucketMinutes) => ledger.auditedCounts(from, to, bucketMinutes),
    settleLate: (rows, audit) => ledger.settleLate(rows, audit),
    writeOff: (losses) => ledger.writeOff(losses),
    bookAccepted: (booking) => ledger.bookAccepted(booking),
    ingestAccounts: () => ledger.ingestAccounts(),
    setArchivedThrough: (reader, timeMs, leaseUntilMs) => ledger.setArchivedThrough(reader, timeMs, leaseUntilMs),
    archiveReaders: () => ledger.archiveReaders(),
    openMinutes: (limit) => ledger.openMinutes(limit),
    closeMinutes: (open) => ledger.closeMinutes(open),
    completeThroughMs: () => ledger.completeThroughMs(),
    setCompleteThrough: (timeMs, atMs) => ledger.setCompleteThrough(timeMs, atMs),
    addAudit: (report) => ledger.addAudit(report),
    audits: (limit) => ledger.audits(limit),
    async close() {
      await Promise.all([checkpoints.close(), ledger.close()]);
    },
  };
}
