import { FromResource, generate, type PCollection, provideResource, runDirect, withdrawResource } from "../../engine";
import { type AuditedMinute, type AuditOptions, auditMinutes } from "../../transforms/audit-minutes";
import { findReusedIds, type ReusedIds } from "../../transforms/find-reused-ids";

const MINUTES = "audit/minutes";

/** The audit's graph: minutes are recounted from the archive and compared, ids compared across the minutes of an hour. */
export function auditGraph(
  minutes: PCollection<number>,
  options: AuditOptions,
): {
  found: PCollection<AuditedMinute>;
  reused: PCollection<ReusedIds>;
} {
  const audited = auditMinutes(minutes, options);
  return { found: audited.minutes, reused: findReusedIds(audited.ids) };
}

export interface HourFindings {
  found: AuditedMinute[];
  reusedAcrossMinutes: number;
}

/** Runs the graph somewhere and gives what it found, hour by hour. */
export interface AuditRunner {
  readonly name: string;
  /** Called once, before any hour, with all the minutes. */
  prepare(minutes: readonly number[], options: AuditOptions): Promise<void>;
  /** `minutes`: those of one hour. */
  hour(minutes: readonly number[], options: AuditOptions): Promise<HourFindings>;
}

/** In this process, each hour when it is asked for. The resources of the transforms must be provided. */
export const directAuditRunner: AuditRunner = {
  name: "direct",
  prepare: async () => undefined,
  async hour(minutes, options) {
    provideResource(MINUTES, minutes);
    try {
      const { outputs } = await runDirect((root) =>
        auditGraph(generate(root, "Minutes", new FromResource<number>(MINUTES)), options),
      );
      return { found: outputs.found, reusedAcrossMinutes: outputs.reused.reduce((sum, { reused }) => sum + reused, 0) };
    } finally {
      withdrawResource(MINUTES);
    }
  },
};
