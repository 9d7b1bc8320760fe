// SPDX-License-Identifier: Apache-2.0
import { type AuditDependencies, runAudit } from "../../../pipelines/audit/audit";
import type { GoldenScript } from "./script";

/** Audits all there is, with repair. */
export async function auditAll(stores: Omit<AuditDependencies, "clock">, allowedLatenessMs: number): Promise<void> {
  const { archive, counters, ledger, progress } = stores;
  const deps = { archive, counters, ledger, progress, clock: Date.now };
  const { outcome } = await runAudit(deps, { repair: true, allowedLatenessMs });
  expect(["equal", "repaired"]).toContain(outcome);
}

/** Does the script's closing audits, each of which must end with everything equal, or made so. */
export async function doAudits(
  { closingAudits, allowedLatenessMs }: GoldenScript,
  stores: Omit<AuditDependencies, "clock">,
): Promise<void> {
  const { archive, counters, ledger, progress } = stores;
  for (const range of closingAudits) {
    const deps = { archive, counters, ledger, progress, clock: Date.now };
    const { outcome, notComparable, differences } = await runAudit(deps, { ...range, repair: true, allowedLatenessMs });
    expect({ outcome, notComparable }).toEqual({
      outcome: differences.length === 0 ? "equal" : "repaired",
      notComparable: [],
    });
  }
}
