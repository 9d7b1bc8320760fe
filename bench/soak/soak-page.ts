// SPDX-License-Identifier: Apache-2.0
/** The result of the soak as a page of docs/bench. */
import { type Sample, slopeOf } from "./process-samples";

export interface SoakResult {
  flags: { minutes: number; rate: number; videos: number; speed: number; seed: number };
  machine: { cpus: number; load: readonly string[] };
  /** A time of the service's clock. */
  eventHours: number;
  sent: { requests: number; events: number; reads: number; refused: Readonly<Record<string, number>> };
  samples: readonly Sample[];
  cells: number;
  /** Accepted events, each once. */
  distinct: number;
  wrong: readonly string[];
  isBalanced: boolean;
  waitedS: number;
}

const HELD = ["memoryMiB", "serviceMiB", "threads", "handles", "connections", "files"] as const;
/** Growth over the second half, of the mean: beyond it what is held is not called flat. */
const MAX_GROWTH = 0.1;
/** A few descriptors more or less are no growth. */
const LEAST_UNITS = 8;

interface Flatness {
  what: (typeof HELD)[number];
  mean: number;
  most: number;
  perHour: number;
  isFlat: boolean;
}

/** The second half of the samples, because caches are full by then. */
export function flatness(samples: readonly Sample[]): Flatness[] {
  const half = samples.slice(Math.floor(samples.length / 2));
  const spanS = (half.at(-1)?.atS ?? 0) - (half[0]?.atS ?? 0);
  return HELD.map((what) => {
    const values = half.map((sample) => sample[what]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const perS = slopeOf(half.map((sample) => [sample.atS, sample[what]] as const));
    const growth = perS * spanS;
    const isFlat = growth < Math.max(LEAST_UNITS, MAX_GROWTH * mean);
    return { what, mean, most: Math.max(...values), perHour: perS * 3_600, isFlat };
  });
}

export function soakPage(result: SoakResult, command: string): string {
  const { flags, machine, sent, samples } = result;
  const flat = flatness(samples).map(({ what, mean, most, perHour, isFlat }) =>
    row(what, mean.toFixed(1), most.toFixed(1), perHour.toFixed(1), isFlat ? "flat" : "**grows**"),
  );
  const every = Math.max(1, Math.floor(samples.length / 12));
  const shown = samples.filter((_, at) => at % every === 0).map((sample) => row(...Object.values(sample).map(round)));
  const last = samples.at(-1);
  return `# Soak

    ${command}

${machine.cpus} CPUs, load at the end ${machine.load.join(", ")}. ${flags.minutes} minutes; ${flags.rate} events/s were asked for and ${(sent.events / (flags.minutes * 60)).toFixed(1)} sent; with 5 % repeats and 1 % late ones, dashboards that read and pages that watch and go; the service's clock ran ${flags.speed} times as fast: ${result.eventHours.toFixed(1)} hours of event time, audits and tiering every minute of real time, raw retention of one day.

${sent.requests} requests (${sent.reads} reads), ${sent.events} events accepted, ${result.distinct} distinct in ${result.cells} cells; answers that were no 202: ${JSON.stringify(sent.refused)}.

Counts: ${result.wrong.length === 0 ? "every total, every sum of days and of hours is what was accepted" : result.wrong.slice(0, 20).join("; ")}. Books: ${result.isBalanced ? "balance, nothing late" : "do not balance"} (${result.waitedS.toFixed(0)} s after the last event).

What all processes held in the second half; \`perHour\` is the slope of a straight line:

${table(["", "mean", "most", "per hour", ""], flat)}

${last === undefined ? "" : table(Object.keys(last), shown)}
`;
}

const round = (value: number): string => String(Math.round(value));
const row = (...cells: string[]): string => `| ${cells.join(" | ")} |`;
const table = (heads: readonly string[], rows: readonly string[]): string =>
  [row(...heads), row(...heads.map(() => "---")), ...rows].join("\n");
