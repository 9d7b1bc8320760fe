import { type AwaitableDoFn, awaitableParDo, type PCollection, register, resource } from "../engine";
import type { Findings } from "../io/ports";
import type { AuditedMinute } from "./audit-minutes";
import type { ReusedIds } from "./find-reused-ids";
import { RESOURCES } from "./resource-names";

const WRITES_IN_FLIGHT = 8;

/**
 * Writes what an audit on a cluster found where its starter reads it: one finding a minute, one a part of the ids.
 * In: audited minutes, reused ids. Out: nothing. Rejects: none; a write that fails fails the bundle. Windowing: global. Replay: the same findings.
 */
export function writeFindings(
  found: PCollection<AuditedMinute>,
  reused: PCollection<ReusedIds>,
  auditId: string,
): void {
  const maxInFlight = WRITES_IN_FLIGHT;
  found.apply(awaitableParDo("WriteMinutes", new WriteMinutes(RESOURCES.findings, auditId), { maxInFlight }));
  reused.apply(awaitableParDo("WriteReusedIds", new WriteReusedIds(RESOURCES.findings, auditId), { maxInFlight }));
}

export const minuteFinding = (minute: number): string => `minute-${minute}`;
export const idFinding = (key: string): string => `ids-${key}`;

export class WriteMinutes implements AwaitableDoFn<AuditedMinute, never> {
  constructor(
    readonly findingsResource: string,
    readonly auditId: string,
  ) {}

  async process(minute: AuditedMinute): Promise<void> {
    const text = JSON.stringify(minute, (_key, value: unknown) =>
      typeof value === "bigint" ? { bigint: String(value) } : value,
    );
    await resource<Findings>(this.findingsResource).write(this.auditId, minuteFinding(minute.minute), text);
  }
}

/** What WriteMinutes wrote. */
export function readMinute(text: string): AuditedMinute {
  return JSON.parse(text, (_key, value: unknown) => {
    const wrapped = value as { bigint?: string } | null;
    return typeof wrapped === "object" && typeof wrapped?.bigint === "string" ? BigInt(wrapped.bigint) : value;
  }) as AuditedMinute;
}

export class WriteReusedIds implements AwaitableDoFn<ReusedIds, never> {
  constructor(
    readonly findingsResource: string,
    readonly auditId: string,
  ) {}

  async process({ key, reused }: ReusedIds): Promise<void> {
    await resource<Findings>(this.findingsResource).write(this.auditId, idFinding(key), String(reused));
  }
}

register("transforms/write-findings", exports);
