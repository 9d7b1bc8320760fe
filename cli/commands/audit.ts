// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { hasComparedNothing } from "../../domain/rules/compared-nothing";
import { FINAL_SLACK_MS, setsAside } from "../../domain/rules/lateness";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { makeFolder } from "../../io/flow/make-folder";
import type { AuditReport } from "../../io/ports";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { auditTotals, runAudit } from "../../pipelines/audit/audit";
import type { AuditRunner } from "../../pipelines/audit/audit-runner";
import { shownReport } from "../../query-api/audit-report";
import { refuseFlags } from "../arguments/inapplicable-flags";
import { rfc3339Time } from "../arguments/rfc3339-time";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import type { Config, Settings } from "../config/schema";
import {
  DATAFLOW_ONLY,
  type DataflowFlags,
  dataflowFlags,
  refuseProject,
  withDataflowFlags,
} from "../deployment/dataflow/dataflow-flags";
import { allowedLatenessMs, type Deployment, openDeployment, usesDataFolder } from "../deployment/deployment";
import { dueHours } from "../programs/due-hours";

/** The reach of the hourly audit. The daily audit covers events that are received later. */
const HOURLY_REACH_MS = 2 * DAY_MS;
/** The archiver reports its progress about once a second. */
const ARCHIVED_WITHIN_MS = MINUTE_MS;
const EXIT_EQUAL = 0;
const EXIT_DIFFERENCES = 3;
const EXIT_NOT_COMPARABLE = 4;

interface AuditFlags extends DataflowFlags {
  runner: "direct" | "flink" | "dataflow";
  from?: number;
  to?: number;
  repair?: boolean;
  json?: boolean;
  hourly?: boolean;
  due?: boolean;
  daily?: boolean;
  totals?: boolean;
}

export function register(program: Command): void {
  dataflowFlags(program.command("audit"))
    .description("recount from the raw archive by another path and compare with every stored counter")
    .option("--from <time>", "RFC 3339, whole minutes; default: the first minute there is", rfc3339Time)
    .option("--to <time>", "RFC 3339, exclusive; default: behind the last minute there is", rfc3339Time)
    .option(
      "--hourly",
      "every hour of the last two days that is past the lateness horizon and not audited since it changed",
    )
    .option("--due", "the same, however old the hour is")
    .option("--daily", "the same over all that the archive keeps, and then --totals")
    .option(
      "--totals",
      "check every total against its days, whatever range touched it, and the roll-ups, instead of a range: every file " +
        "is looked for; files of up to 64 MiB in all are read whole and compared with hours and days, of more a part " +
        "each day, each at least once in 7 days",
    )
    .option("--repair", "apply the archive's numbers where they differ")
    .addOption(
      new Option("--runner <runner>", "where the audit runs")
        .choices(["direct", "flink", "dataflow"])
        .default("direct"),
    )
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      "\nExit status: 0 equal (or repaired), 3 differences left, 4 something could not be compared.",
    )
    .action(async (flags: AuditFlags, command: Command) => {
      if (flags.runner !== "dataflow")
        refuseFlags(command, DATAFLOW_ONLY, `an audit on ${flags.runner} has no use for this (--runner dataflow)`);
      if (flags.daily === true) refuseFlags(command, ["hourly"], "--daily takes these hours, too");
      const config = withDataflowFlags(resolveConfig(command), flags);
      refuseProject(command, flags.runner, config);
      refuseEmptyRange(flags);
      if (usesDataFolder(config)) requireDataFolder(config.data);
      const deployment = await openDeployment(config);
      try {
        const codes: number[] = [];
        const run = { config, deployment, flags };
        for (const range of await asked(run)) codes.push(await auditRange(run, range));
        if (flags.totals === true || flags.daily === true) codes.push(await auditAllTotals(run));
        process.exitCode = Math.max(EXIT_EQUAL, ...codes);
      } finally {
        await deployment.close();
      }
    });
}

/** Refuses an empty range: an audit of nothing must not report "equal". */
function refuseEmptyRange({ from, to, totals, hourly, due, daily }: AuditFlags): void {
  const ranges = [from !== undefined || to !== undefined, totals, hourly, due, daily].filter((one) => one === true);
  if (ranges.length > 1)
    throw new ConfigError(
      "--hourly, --due, --daily and --totals find their range themselves: give one of them, or --from and --to",
    );
  if (from !== undefined && to !== undefined && from >= to) throw new ConfigError("--from must be before --to");
}

interface AuditRun {
  config: Config;
  deployment: Deployment;
  flags: AuditFlags;
}

interface AskedRange {
  fromMs: number | undefined;
  toMs: number | undefined;
}

/** Returns the range of the flags, or the due hours of a schedule. */
async function asked({ config, deployment, flags }: AuditRun): Promise<AskedRange[]> {
  const { archive, ledger, progress } = deployment;
  const { from, to, hourly, due, daily, totals } = flags;
  if (totals === true) return [];
  if (hourly !== true && due !== true && daily !== true) return [{ fromMs: from, toMs: to }];
  const nowMs = Date.now();
  const backMs = daily === true ? config.retention.rawDays * DAY_MS : HOURLY_REACH_MS;
  const sinceMs = due === true ? 0 : nowMs - backMs;
  return dueHours({ archive, ledger, progress, nowMs, finalAfterMs: finalAfterMs(config), sinceMs });
}

/** How long after its end an hour is due: the stream has passed the hour, and the archiver has reported so. */
function finalAfterMs(config: Settings<"lateness" | "log">): number {
  const streamMs = config.lateness.finalAfterMinutes * MINUTE_MS;
  return setsAside(allowedLatenessMs(config)) ? streamMs + FINAL_SLACK_MS + ARCHIVED_WITHIN_MS : streamMs;
}

async function auditRange({ config, deployment, flags }: AuditRun, range: AskedRange): Promise<number> {
  const runner = await auditRunner(config, flags);
  const report = await runAudit(
    { ...deployment, ...(runner && { runner }), clock: Date.now },
    { ...range, repair: flags.repair ?? false, allowedLatenessMs: allowedLatenessMs(config) },
  );
  return tell(config, flags, report);
}

async function auditAllTotals({ config, deployment, flags }: AuditRun): Promise<number> {
  const runner = await auditRunner(config, flags);
  const asked = { ...deployment, ...(runner && { runner }), clock: Date.now };
  return tell(config, flags, await auditTotals(asked, { repair: flags.repair ?? false }));
}

export function tell(config: Settings<"data">, flags: { json?: boolean }, report: AuditReport): number {
  const file = writeReport(config.data, report);
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(shownReport(report), null, 2)}\n` : `${table(report)}report: ${file}\n`,
  );
  return exitCode(report);
}

async function auditRunner(config: Config, { runner }: AuditFlags): Promise<AuditRunner | undefined> {
  if (runner === "flink") return (await import("../deployment/flink/audit-job.js")).flinkAuditRunner(config);
  if (runner === "dataflow") return (await import("../deployment/dataflow/audit-job.js")).dataflowAuditRunner(config);
  return undefined;
}

export function exitCode({ outcome }: AuditReport): number {
  if (outcome === "not-comparable") return EXIT_NOT_COMPARABLE;
  return outcome === "differences" ? EXIT_DIFFERENCES : EXIT_EQUAL;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

function writeReport(folder: string, report: AuditReport): string {
  const reports = join(folder, "audits");
  makeFolder(reports);
  const file = join(reports, `${iso(report.startedAtMs).replaceAll(":", "-")}-${report.id.slice(0, 8)}.json`);
  writeFileSync(file, `${JSON.stringify(shownReport(report), null, 2)}\n`);
  return file;
}

/** Returns no line where no loss is written off. A written-off loss is reported as long as its events are missing. */
function writtenOffLine({ writtenOff = [] }: AuditReport): [string, number][] {
  if (writtenOff.length === 0) return [];
  return [["events written off", writtenOff.reduce((sum, { events }) => sum + events, 0)]];
}

function table(report: AuditReport): string {
  const lines: [string, string | number][] = [
    ["range", report.totals === true ? "every total and roll-up" : `${iso(report.fromMs)} .. ${iso(report.toMs)}`],
    ["objects read", report.objectsRead],
    ["events", report.events],
    ["distinct events", report.distinctEvents],
    ["cells compared", report.cellsCompared],
    ["cells differing", report.cellsDiffering],
    ["cells repaired", report.cellsRepaired],
    ["reused event ids", report.reusedEventIds],
    ["late events", report.lateEvents],
    ["minutes not comparable", report.notComparable.length],
    ...writtenOffLine(report),
    ["took", `${(report.durationMs / 1000).toFixed(1)} s`],
    ["outcome", hasComparedNothing(report) ? "equal, with nothing to compare" : report.outcome],
  ];
  const details = [
    ...report.differences
      .slice(0, 50)
      .map(
        (d) =>
          `  ${d.level} ${iso(d.startMs)} ${d.videoId} ${d.eventType}: archive ${d.archiveCount} (sum ${d.archiveSum}), stored ${d.storedCount} (sum ${d.storedSum})`,
      ),
    ...(report.reusedIds ?? []).map(
      ({ eventId, times, places }) =>
        `  ${eventId} is the id of ${times} events: ${places.map((place) => `${iso(place.minute * MINUTE_MS)} ${place.videoId} ${place.eventType}`).join(", ")}`,
    ),
    ...report.notComparable
      .slice(0, 50)
      .map(({ minute, reason }) => `  ${iso(minute * MINUTE_MS)} not comparable: ${reason}`),
    ...(report.writtenOff ?? [])
      .slice(0, 50)
      .map(({ minute, events, reason }) => `  ${iso(minute * MINUTE_MS)} ${events} events written off: ${reason}`),
  ];
  return [...lines.map(([name, value]) => `${name.padEnd(24)}${value}`), ...details, ""].join("\n");
}
