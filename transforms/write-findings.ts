// SPDX-License-Identifier: Apache-2.0
import { type AwaitableDoFn, awaitableParDo, type PCollection, register, resource } from "../engine";
import type { Findings } from "../io/ports";
import type { TotalsFinding } from "./check-totals";
import type { HourFinding } from "./compare-hours";
import type { ReusedIds } from "./find-reused-ids";
import { RESOURCES } from "./resource-names";

const WRITES_IN_FLIGHT = 8;

/**
 * The findings of an audit's job, each under a name of its own, by which the process that started the audit reads it.
 */
type Finding =
  | { kind: "hour"; finding: HourFinding }
  | { kind: "ids"; finding: ReusedIds }
  | { kind: "totals"; finding: TotalsFinding };

/**
 * Writes the findings of an audit on a cluster to the store from which the audit's starter reads them. In: findings.
 * Out: nothing. Rejects: none; a failed write fails the bundle. Windowing: global. Replay: the same findings.
 * An audit that runs as a job ends with this step (pipelines/audit/cluster-audit.ts).
 */
export function writeFindings(name: string, findings: PCollection<Finding>, auditId: string): void {
  const writing = new WriteFindings(RESOURCES.findings, auditId);
  findings.apply(awaitableParDo(name, writing, { maxInFlight: WRITES_IN_FLIGHT }));
}

export const hourFinding = (hour: number, videoPart: number): string => `hour-${hour}-${videoPart}`;
export const idsFinding = (key: string): string => `ids-${key}`;
export const totalsFinding = (videoPart: number): string => `totals-${videoPart}`;

export const ofHour = (finding: HourFinding): Finding => ({ kind: "hour", finding });
export const ofIds = (finding: ReusedIds): Finding => ({ kind: "ids", finding });
export const ofTotals = (finding: TotalsFinding): Finding => ({ kind: "totals", finding });

export class WriteFindings implements AwaitableDoFn<Finding, never> {
  constructor(
    readonly findingsResource: string,
    readonly auditId: string,
  ) {}

  async process(found: Finding): Promise<void> {
    await resource<Findings>(this.findingsResource).write(this.auditId, nameOf(found), JSON.stringify(found.finding));
  }
}

function nameOf(found: Finding): string {
  switch (found.kind) {
    case "hour":
      return hourFinding(found.finding.hour, found.finding.videoPart);
    case "ids":
      return idsFinding(found.finding.key);
    case "totals":
      return totalsFinding(found.finding.videoPart);
  }
}

register(module);
