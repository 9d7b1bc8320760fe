import { FromResource, generate, type PCollection, provideResource, runDirect, withdrawResource } from "../../engine";
import { type AuditedMinute, type AuditOptions, auditMinutes } from "../../transforms/audit-minutes";
import { findReusedIds } from "../../transforms/find-reused-ids";

const MINUTES = "audit/minutes";

/** The audit's graph: minutes are recounted from the archive and compared, ids compared across minutes. */
export function auditGraph(
  minutes: PCollection<number>,
  options: AuditOptions,
): {
  found: PCollection<AuditedMinute>;
  reused: PCollection<number>;
} {
  const audited = auditMinutes(minutes, options);
  return { found: audited.minutes, reused: findReusedIds(audited.ids) };
}

/** Runs it on the direct runner. */
export async function runAuditGraph(
  minutes: readonly number[],
  options: AuditOptions,
): Promise<{ found: AuditedMinute[]; reusedAcrossMinutes: number }> {
  provideResource(MINUTES, minutes);
  try {
    const { outputs } = await runDirect((root) =>
      auditGraph(generate(root, "Minutes", new FromResource<number>(MINUTES)), options),
    );
    return { found: outputs.found, reusedAcrossMinutes: outputs.reused.reduce((sum, each) => sum + each, 0) };
  } finally {
    withdrawResource(MINUTES);
  }
}
