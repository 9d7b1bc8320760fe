// SPDX-License-Identifier: Apache-2.0
/** The price of a workload's needs (sizing.ts), for `viewmill plan`. */
import { SECONDS_A_DAY, SECONDS_AN_HOUR } from "../domain/rules/time";
import type { PriceName, Prices } from "./prices";
import { AUDITS, type Sizing } from "./sizing";
import type { Workload } from "./workload";

interface CostLine {
  name: string;
  /** US dollars a month of 730 hours; undefined where the price is not known. */
  usdPerMonth: number | undefined;
  formula: string;
  uses: readonly PriceName[];
}

export interface Cost {
  lines: CostLine[];
  /** Unknown prices. No sum includes the work they would pay for. */
  missing: PriceName[];
  usdPerMonth: number;
  usdPerBillionEvents: number;
  /** The price with as many cores as the whole job took, at most (sizing). */
  usdPerBillionEventsAtMost: number;
}

const HOURS = 730;
const DAYS_A_YEAR = 365;
const MONTH_S = HOURS * SECONDS_AN_HOUR;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
/** Gigabytes of memory of a vCPU that is rented: the ratio of standard machines. */
const GB_A_VCPU = 4;
/** Stream and archiver. */
const READERS = 2;

/** Returns the cost of a month by list prices, and of a billion events. */
export function costOf(workload: Workload, sizing: Sizing, prices: Prices): Cost {
  const { workerCores, coresAtMost } = sizing.parts;
  const lines = costLines(workload, sizing.parts, prices, workerCores);
  const atMost = costLines(workload, sizing.parts, prices, coresAtMost);
  const usdPerMonth = sumOf(lines);
  const billions = (workload.eventsPerSecond * MONTH_S) / 1e9;
  return {
    lines,
    missing: [...new Set(lines.flatMap(({ uses }) => uses.filter((each) => prices[each] === undefined)))],
    usdPerMonth,
    usdPerBillionEvents: usdPerMonth / billions,
    usdPerBillionEventsAtMost: sumOf(atMost) / billions,
  };
}

const sumOf = (lines: readonly CostLine[]): number => lines.reduce((sum, { usdPerMonth = 0 }) => sum + usdPerMonth, 0);

type Amounts = Partial<Record<PriceName, number>>;
type ToLine = (name: string, formula: string, amounts: Amounts) => CostLine;
type Parts = Sizing["parts"];

const machines = (cores: number): Amounts => ({ vmVcpuHour: cores * HOURS, vmGbHour: cores * GB_A_VCPU * HOURS });

function costLines(workload: Workload, parts: Parts, prices: Prices, cores: number): CostLine[] {
  const line: ToLine = (name, formula, amounts) => {
    const uses = Object.keys(amounts) as PriceName[];
    const known = uses.every((each) => prices[each] !== undefined);
    const usd = uses.reduce((sum, each) => sum + amounts[each]! * (prices[each]?.usd ?? 0), 0);
    return { name, formula, uses, usdPerMonth: known ? usd : undefined };
  };
  const { archive } = parts;
  const ingest = workload.direct
    ? []
    : [line("ingest", "ingest cores * hours, 4 GB each", machines(parts.ingestCores))];
  return [
    logCost(workload, parts, line),
    ...ingest,
    ...streamCost(workload, parts, line, cores),
    line("Bigtable nodes", "nodes * hours", { bigtableNodeHour: parts.nodes * HOURS }),
    line("Bigtable, minute cells", "GiB, not compressed", { bigtableGibMonth: parts.minuteCellBytes / GIB }),
    line("Bigtable, hour cells", "GiB, not compressed", { bigtableGibMonth: parts.hourCellBytes / GIB }),
    line("archivers", "cores * hours, 4 GB each", machines(parts.archivers)),
    line("archive, kept", "bytes a day * rawDays", {
      storageGbMonth: (archive.bytes * SECONDS_A_DAY * workload.rawDays) / GIB,
    }),
    line("roll-ups, of a year", "bytes a day * 365; each further year as much again", {
      storageGbMonth: (parts.rollUpBytes * DAYS_A_YEAR) / GIB,
    }),
    line("archive, requests", "a write for each object, a read for each of two audits", {
      storageClassA: (archive.objects * MONTH_S) / 1_000,
      storageClassB: (archive.objects * MONTH_S * AUDITS) / 1_000,
    }),
    line("audit", "cores * hours, 4 GB each", machines(parts.auditCores)),
  ];
}

function logCost({ log: kind }: Workload, { log }: Parts, line: ToLine): CostLine {
  if (kind === "kafka") return line("Kafka", "bytes appended", { kafkaTib: (log.bytes * MONTH_S) / TIB });
  return line("Pub/Sub", "bytes published once and delivered twice (requests of at least 1,000 bytes)", {
    pubsubTib: ((1 + READERS) * log.bytes * MONTH_S) / TIB,
  });
}

function streamCost({ runner }: Workload, { workerMemory, bytes }: Parts, line: ToLine, cores: number): CostLine[] {
  const gb = Math.max(cores * GB_A_VCPU, workerMemory / GIB);
  if (runner === "dataflow") {
    return [
      line("Dataflow workers", "cores and memory * hours; 4 GB a core, or what the panes need", {
        dataflowVcpuHour: cores * HOURS,
        dataflowGbHour: gb * HOURS,
      }),
      line("Dataflow Streaming Engine", "bytes of both shuffles", {
        dataflowStreamedGb: ((bytes.blockBytes + bytes.countBytes) * MONTH_S) / GIB,
      }),
    ];
  }
  return [
    line("Flink workers", "cores and memory * hours; 4 GB a core, or what the panes need", {
      vmVcpuHour: cores * HOURS,
      vmGbHour: gb * HOURS,
    }),
    line("Flink state", "bytes of windows on disk", { flinkStateGbMonth: bytes.stateBytes / GIB }),
  ];
}
