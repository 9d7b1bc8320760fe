// SPDX-License-Identifier: Apache-2.0
/**
 * The audit as a job of Flink or Dataflow: `viewmill audit` on a cluster submits it, waits for it, and reads its
 * findings.
 */
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { type Generator, generate, type Root, register, withName } from "../../engine";
import type { Findings } from "../../io/ports";
import type { AuditOptions, AuditUnit } from "../../transforms/audit-elements";
import { checkTotals, type TotalsFinding, type TotalsOptions } from "../../transforms/check-totals";
import type { HourFinding } from "../../transforms/compare-hours";
import { findReusedIds, type ReusedIds } from "../../transforms/find-reused-ids";
import {
  hourFinding,
  idsFinding,
  ofHour,
  ofIds,
  ofTotals,
  totalsFinding,
  writeFindings,
} from "../../transforms/write-findings";
import { auditGraph } from "./audit-graph";
import type { AuditRunner } from "./audit-runner";

/** The audit's graph as a job of its own: the units travel in the job, the findings through a store. */
export function clusterAuditPipeline(
  root: Root,
  { units, auditId, ...options }: AuditOptions & { units: readonly AuditUnit[]; auditId: string },
): void {
  const { found, ids } = auditGraph(generate(root, "Units", new Values([...units])), options);
  writeFindings("WriteHours", found.map(withName("OfHour", ofHour)), auditId);
  writeFindings("WriteIds", findReusedIds(ids).map(withName("OfIds", ofIds)), auditId);
}

export function clusterTotalsPipeline(
  root: Root,
  { videoParts, auditId, ...options }: TotalsOptions & { videoParts: number; auditId: string },
): void {
  const parts = Array.from({ length: videoParts }, (_, part) => part);
  const found = checkTotals(generate(root, "Parts", new Values(parts)), options);
  writeFindings("WriteTotals", found.map(withName("OfTotals", ofTotals)), auditId);
}

export class Values<T> implements Generator<T> {
  constructor(readonly values: T[]) {}

  *generate(): Iterable<T> {
    yield* this.values;
  }
}

const READS_AT_ONCE = 16;

/** Runs all units as one bounded job, waits for its end, and reads the findings that its workers wrote. */
export class ClusterAuditRunner implements AuditRunner {
  readonly rounds = 2;
  private jobs = 0;

  constructor(
    readonly name: string,
    private readonly auditId: string,
    private readonly findings: Pick<Findings, "read">,
    /** `id` is new at each call; the job and the findings of its workers are named after it. */
    private readonly submit: (build: (root: Root) => void, id: string) => Promise<void>,
  ) {}

  async run(
    units: readonly AuditUnit[],
    options: AuditOptions,
    take: (findings: readonly HourFinding[]) => Promise<void>,
  ): Promise<Omit<ReusedIds, "key">[]> {
    if (units.length === 0) return [];
    const auditId = this.nextId();
    await this.submit((root) => clusterAuditPipeline(root, { ...options, units, auditId }), auditId);
    const hours = [...new Set(units.map(({ minute }) => Math.floor(minute / MINUTES_AN_HOUR)))];
    const names = hours.flatMap((hour) =>
      Array.from({ length: options.videoParts }, (_, part) => hourFinding(hour, part)),
    );
    for (let from = 0; from < names.length; from += READS_AT_ONCE) {
      await take(
        await Promise.all(names.slice(from, from + READS_AT_ONCE).map((name) => this.read<HourFinding>(auditId, name))),
      );
    }
    const ids = Array.from({ length: options.idPartitions }, (_, partition) => idsFinding(String(partition)));
    const reused = await Promise.all(ids.map((name) => this.findings.read(auditId, name)));
    // A partition without any id has no finding.
    return reused.flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as ReusedIds]));
  }

  async totals(videoParts: number, options: TotalsOptions): Promise<TotalsFinding[]> {
    const auditId = this.nextId();
    await this.submit((root) => clusterTotalsPipeline(root, { ...options, videoParts, auditId }), auditId);
    const parts = Array.from({ length: videoParts }, (_, part) => totalsFinding(part));
    return Promise.all(parts.map((name) => this.read<TotalsFinding>(auditId, name)));
  }

  /**
   * Returns a new id. Minutes that changed are audited again by a further job, which must not read the findings of the
   * first.
   */
  private nextId(): string {
    return this.jobs++ === 0 ? this.auditId : `${this.auditId}-${this.jobs}`;
  }

  private async read<T>(auditId: string, name: string): Promise<T> {
    const text = await this.findings.read(auditId, name);
    if (text === undefined) throw new Error(`the job ended without its finding ${name}`);
    return JSON.parse(text) as T;
  }
}

register(module);
