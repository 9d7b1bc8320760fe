import { type Generator, generate, type Root, register } from "../../engine";
import type { Findings } from "../../io/ports";
import { type AuditOptions, ID_PARTITIONS, idKey } from "../../transforms/audit-minutes";
import { idFinding, minuteFinding, readMinute, writeFindings } from "../../transforms/write-findings";
import { type AuditRunner, auditGraph, type HourFindings } from "./audit-graph";

/** The audit's graph as a job of its own: the minutes travel in it, the findings through a store. */
export function clusterAuditPipeline(
  root: Root,
  { minutes, auditId, ...options }: AuditOptions & { minutes: readonly number[]; auditId: string },
): void {
  const { found, reused } = auditGraph(generate(root, "Minutes", new Minutes([...minutes])), options);
  writeFindings(found, reused, auditId);
}

export class Minutes implements Generator<number> {
  constructor(readonly minutes: number[]) {}

  *generate(): Iterable<number> {
    yield* this.minutes;
  }
}

/** All minutes as one bounded job that `submit` runs to its end, then hour by hour what its workers wrote down. */
export class ClusterAuditRunner implements AuditRunner {
  constructor(
    readonly name: string,
    private readonly auditId: string,
    private readonly findings: Pick<Findings, "read">,
    private readonly submit: (build: (root: Root) => void) => Promise<void>,
  ) {}

  async prepare(minutes: readonly number[], options: AuditOptions): Promise<void> {
    if (minutes.length === 0) return;
    await this.submit((root) => clusterAuditPipeline(root, { ...options, minutes, auditId: this.auditId }));
  }

  async hour(minutes: readonly number[]): Promise<HourFindings> {
    const found = await Promise.all(
      minutes.map(async (minute) => {
        const text = await this.findings.read(this.auditId, minuteFinding(minute));
        if (text === undefined) throw new Error(`the job ended without a finding for minute ${minute}`);
        return readMinute(text);
      }),
    );
    const [first = 0] = minutes;
    const reused = await Promise.all(
      Array.from({ length: ID_PARTITIONS }, (_, partition) =>
        this.findings.read(this.auditId, idFinding(idKey(first, partition))),
      ),
    );
    return { found, reusedAcrossMinutes: reused.reduce((sum, text) => sum + Number(text ?? 0), 0) };
  }
}

register("pipelines/audit/cluster-audit", exports);
