// SPDX-License-Identifier: Apache-2.0
/**
 * The result of a run of the benchmark: one JSON document, and the same as a table. Each measurement gives its figures
 * in this form, and `npm run bench` prints them.
 */
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import type { BenchParameters } from "./parameters";

export const REPORT_SCHEMA = "viewmill-bench/1";

/** A number of another system, or of another way, measured in the same run on the same data. */
interface Baseline {
  name: string;
  value: number;
  /** value of the figure / value of the baseline. */
  ratio: number;
}

interface Goal {
  bound: "at least" | "below";
  value: number;
  met: boolean;
}

export interface Figure {
  /** `<measurement>/<figure>`, stable from run to run. */
  name: string;
  title: string;
  unit: string;
  value: number;
  /** The lowest and the highest round, where the value is the median over rounds (turns.ts). */
  spread?: { lowest: number; highest: number };
  baselines: Baseline[];
  goal?: Goal;
}

export interface MeasurementReport {
  name: string;
  title: string;
  tookMs: number;
  figures: Figure[];
  /** Values that must agree between systems (digests of counts), and other values that a reader may want to check. */
  facts: Record<string, unknown>;
  /** The measurement could not be made; the others were. */
  error?: string;
}

export interface BenchReport {
  schema: typeof REPORT_SCHEMA;
  startedAt: string;
  tookMs: number;
  machine: {
    cpu: string;
    cores: number;
    memoryBytes: number;
    platform: string;
    node: string;
    /** One-minute load average before the first measurement: well above 0 means that others used the machine. */
    loadBefore: number;
  };
  parameters: BenchParameters;
  measurements: MeasurementReport[];
}

export function machineInfo(): BenchReport["machine"] {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function atLeast(value: number): (measured: number) => Goal {
  return (measured) => ({ bound: "at least", value, met: measured >= value });
}

export function below(value: number): (measured: number) => Goal {
  return (measured) => ({ bound: "below", value, met: measured < value });
}

export interface FigureOptions {
  goal?: (measured: number) => Goal;
  baselines?: Record<string, number>;
}

export function figure(name: string, title: string, unit: string, value: number, options: FigureOptions = {}): Figure {
  const baselines = Object.entries(options.baselines ?? {}).map(([baseline, its]) => ({
    name: baseline,
    value: its,
    ratio: value / its,
  }));
  const made: Figure = { name, title, unit, value, baselines };
  if (options.goal !== undefined) made.goal = options.goal(value);
  return made;
}

export function asTable(report: BenchReport): string {
  const { machine } = report;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.platform}, Node ${machine.node}, load before ${machine.loadBefore.toFixed(2)}`,
  ];
  for (const measurement of report.measurements) {
    lines.push("", `${measurement.title} (${(measurement.tookMs / 1000).toFixed(1)} s)`);
    if (measurement.error !== undefined) lines.push(`  could not be measured: ${measurement.error}`);
    for (const each of measurement.figures) lines.push(figureLine(each));
  }
  const goals = report.measurements.flatMap(({ figures }) => figures).flatMap(({ goal }) => goal ?? []);
  lines.push("", `${goals.filter(({ met }) => met).length} of ${goals.length} goals met`);
  return `${lines.join("\n")}\n`;
}

/**
 * The same as a page of docs/bench: what was run, where, and a table for each measurement. `command`: what makes the
 * page again.
 */
export function asMarkdown(report: BenchReport, command: string): string {
  const { machine, startedAt } = report;
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  const where = `${machine.cpu}, ${machine.cores} cores, ${memory}, Node ${machine.node}`;
  const lines = [
    `    ${command}`,
    "",
    `${startedAt.slice(0, 10)}, ${where}, load before ${machine.loadBefore.toFixed(2)}.`,
  ];
  for (const { title, error, figures } of report.measurements) {
    lines.push("", `## ${title}`, "");
    if (error !== undefined) lines.push(`It could not be measured: ${error.split("\n")[0]}`, "");
    if (figures.length === 0) continue;
    lines.push("| figure | value | goal | beside, in the same run |", "| --- | --- | --- | --- |");
    for (const each of figures) lines.push(`| ${markdownCells(each).join(" | ")} |`);
  }
  return `${lines.join("\n")}\n`;
}

function markdownCells({ title, unit, value, spread, baselines, goal }: Figure): string[] {
  const wanted = goal === undefined ? "" : `${goal.bound} ${readable(goal.value)}${goal.met ? "" : ": **missed**"}`;
  const beside = baselines.map(({ name, value: its, ratio }) => `${ratio.toFixed(2)} x ${name} (${readable(its)})`);
  return [title, `${readable(value)} ${unit}${spreadText(spread)}`.trim(), wanted, beside.join("; ")];
}

function figureLine({ title, unit, value, spread, baselines, goal }: Figure): string {
  const parts = [`  ${title.padEnd(62)} ${readable(value).padStart(10)} ${`${unit}${spreadText(spread)}`.padEnd(15)}`];
  if (goal !== undefined) {
    parts.push(`goal ${goal.bound} ${readable(goal.value)}: ${goal.met ? "met" : "NOT MET"}`);
  }
  for (const { name, value: its, ratio } of baselines) parts.push(`${ratio.toFixed(2)} x ${name} (${readable(its)})`);
  return parts.join("  ").trimEnd();
}

function spreadText(spread: Figure["spread"]): string {
  return spread === undefined ? "" : ` (${readable(spread.lowest)} to ${readable(spread.highest)})`;
}

function readable(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 1_000 ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
