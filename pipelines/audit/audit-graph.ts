// SPDX-License-Identifier: Apache-2.0
import type { KV, PCollection } from "../../engine";
import type { AuditOptions, AuditUnit, IdBlock } from "../../transforms/audit-elements";
import { compareHours, type HourFinding } from "../../transforms/compare-hours";
import { recountMinutes } from "../../transforms/recount-minutes";

/**
 * The audit's graph: it recounts parts of minutes from the archive, and compares them hour by hour and part by part of
 * the videos. Every runner of an audit builds it: this process, Flink and Dataflow.
 */
export function auditGraph(
  units: PCollection<AuditUnit>,
  options: AuditOptions,
): { found: PCollection<HourFinding>; ids: PCollection<KV<string, IdBlock>> } {
  const { hours, ids } = recountMinutes(units, options);
  return { found: compareHours(hours, options), ids };
}
