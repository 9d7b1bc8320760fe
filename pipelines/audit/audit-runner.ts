// SPDX-License-Identifier: Apache-2.0
/**
 * Where the graph of an audit runs, and the way in which its findings arrive. `viewmill audit` chooses the runner; the
 * one in this process is here, and the one of clusters in cluster-audit.ts.
 */
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { FromResource, generate, provideResource, runDirect, withdrawResource } from "../../engine";
import type { AuditOptions, AuditUnit } from "../../transforms/audit-elements";
import { checkTotals, type TotalsFinding, type TotalsOptions } from "../../transforms/check-totals";
import type { HourFinding } from "../../transforms/compare-hours";
import type { ReusedIds } from "../../transforms/find-reused-ids";
import { auditGraph } from "./audit-graph";
import { KeptIds } from "./kept-ids";

/** Runs the audit's graph and hands over its findings. The resources of the transforms must be provided. */
export interface AuditRunner {
  readonly name: string;
  /** How often minutes that keep changing are audited again. */
  readonly rounds: number;
  /**
   * Calls `take` for each hour and part of the videos, hours in any order, and resolves with the ids that are reused
   * anywhere in the range.
   */
  run(
    units: readonly AuditUnit[],
    options: AuditOptions,
    take: (findings: readonly HourFinding[]) => Promise<void>,
  ): Promise<Omit<ReusedIds, "key">[]>;
  totals(videoParts: number, options: TotalsOptions): Promise<TotalsFinding[]>;
}

const UNITS = "audit/units";
const PARTS = "audit/parts";
/**
 * The bound of one run of the graph, which is built anew each time: many hours with few events share a run, and an hour
 * with many events has its own.
 */
const MAX_HOURS = 24;
const MAX_EVENTS = 1_000_000;

/**
 * Runs the graph in this process, some hours at a time, so that memory is bounded by an hour's cells and one part of a
 * minute, or by MAX_EVENTS.
 */
export const directAuditRunner: AuditRunner = {
  name: "direct",
  rounds: 10,
  async run(units, options, take) {
    const ids = new KeptIds(options.idPartitions);
    try {
      for (const batch of batchesOf(units)) {
        const outputs = await withResource(UNITS, batch, async () => {
          const run = await runDirect((root) => {
            const { found, ids } = auditGraph(generate(root, "Units", new FromResource<AuditUnit>(UNITS)), options);
            return { found, ids };
          });
          return run.outputs;
        });
        ids.add(outputs.ids);
        await take(outputs.found);
      }
      return ids.reused();
    } finally {
      ids.forget();
    }
  },
  async totals(videoParts, options) {
    const parts = Array.from({ length: videoParts }, (_, part) => part);
    return withResource(PARTS, parts, async () => {
      const { outputs } = await runDirect((root) => ({
        found: checkTotals(generate(root, "Parts", new FromResource<number>(PARTS)), options),
      }));
      return outputs.found;
    });
  },
};

/** Splits units in ascending order into batches of whole hours. */
function* batchesOf(units: readonly AuditUnit[]): Generator<AuditUnit[]> {
  let batch: AuditUnit[] = [];
  let [hours, events] = [0, 0];
  for (const hour of hoursOf(units)) {
    const ofHour = hour.reduce((sum, unit) => sum + unit.events, 0);
    if (hours === MAX_HOURS || (hours > 0 && events + ofHour > MAX_EVENTS)) {
      yield batch;
      [batch, hours, events] = [[], 0, 0];
    }
    batch.push(...hour);
    hours++;
    events += ofHour;
  }
  if (batch.length > 0) yield batch;
}

function* hoursOf(units: readonly AuditUnit[]): Generator<readonly AuditUnit[]> {
  const hourOf = ({ minute }: AuditUnit) => Math.floor(minute / MINUTES_AN_HOUR);
  for (let from = 0; from < units.length; ) {
    let to = from + 1;
    while (to < units.length && hourOf(units[to]!) === hourOf(units[from]!)) to++;
    yield units.slice(from, to);
    from = to;
  }
}

async function withResource<T>(name: string, value: unknown, work: () => Promise<T>): Promise<T> {
  provideResource(name, value);
  try {
    return await work();
  } finally {
    withdrawResource(name);
  }
}
