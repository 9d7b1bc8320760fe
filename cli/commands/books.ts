// SPDX-License-Identifier: Apache-2.0
import { type Command, InvalidArgumentError } from "commander";
import { MINUTE_MS } from "../../domain/rules/time";
import type { AuditReport, FoundLoss } from "../../io/ports";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { runAudit } from "../../pipelines/audit/audit";
import { writeOffLosses } from "../../pipelines/audit/write-off";
import { shownReport } from "../../query-api/audit-report";
import { rfc3339Time } from "../arguments/rfc3339-time";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import type { Settings } from "../config/schema";
import { allowedLatenessMs, type Deployment, openDeployment, usesDataFolder } from "../deployment/deployment";
import { exitCode, tell } from "./audit";

interface Flags {
  from: number;
  to: number;
  reason: string;
  dryRun?: boolean;
  json?: boolean;
}

const MAX_REASON_CHARACTERS = 500;

export function register(program: Command): void {
  const books = program.command("books").description("what only an operator can decide about the books");
  books
    .command("write-off")
    .description("write off lost events, so that completeThrough and the audit go on")
    .requiredOption("--from <time>", "RFC 3339, whole minutes", rfc3339Time)
    .requiredOption("--to <time>", "RFC 3339, exclusive", rfc3339Time)
    .requiredOption("--reason <text>", "why they are lost; kept in the ledger beside their minutes", reasonText)
    .option("--dry-run", "look for losses and write none off (the audit's report and marks are kept)")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Writes off only events that an audit of the range finds missing: accepted, in no archive object, and older than everything still on its
way. Afterwards the archive is the truth for these minutes. A repairing audit follows, and removes from the counters what the stream
counted before the loss. Where somebody else has the events, backfill them first.
Exit status: 0 written off, or nothing to write off; 3 and 4 as for audit.`,
    )
    .action(writeOff);
}

function reasonText(text: string): string {
  const reason = text.trim();
  if (reason === "" || reason.length > MAX_REASON_CHARACTERS || /\p{Cc}/u.test(reason))
    throw new InvalidArgumentError(`1 to ${MAX_REASON_CHARACTERS} characters on one line are wanted`);
  return reason;
}

async function writeOff(flags: Flags, command: Command): Promise<void> {
  const { from: fromMs, to: toMs, reason } = flags;
  if (fromMs >= toMs) throw new ConfigError("--from must be before --to");
  const config = resolveConfig(command);
  if (usesDataFolder(config)) requireDataFolder(config.data);
  const deployment = await openDeployment(config);
  try {
    const range = { fromMs, toMs, allowedLatenessMs: allowedLatenessMs(config) };
    if (flags.dryRun === true) process.exitCode = await look({ config, deployment, flags }, range);
    else process.exitCode = await book({ config, deployment, flags }, range, reason);
  } finally {
    await deployment.close();
  }
}

interface WriteOff {
  config: Settings<"data">;
  deployment: Deployment;
  flags: Flags;
}

type Range = Parameters<typeof writeOffLosses>[1];

async function look({ config, deployment, flags }: WriteOff, range: Range): Promise<number> {
  const report = await runAudit({ ...deployment, clock: Date.now }, { ...range, repair: false });
  if (flags.json === true) return tell(config, flags, report);
  process.stdout.write(lossesText("to be written off", report.losses ?? []));
  return tell(config, flags, report);
}

async function book({ config, deployment, flags }: WriteOff, range: Range, reason: string): Promise<number> {
  const { found, losses, settled } = await writeOffLosses({ ...deployment, clock: Date.now }, range, reason);
  const report = settled ?? found;
  if (flags.json === true) {
    const minutes = losses.map(({ minute, events, auditId }) => ({ minute: timeText(minute), events, auditId }));
    process.stdout.write(`${JSON.stringify({ writtenOff: minutes, audit: shownReport(report) }, null, 2)}\n`);
    return exitCode(report);
  }
  process.stdout.write(lossesText("written off", losses) + waitingText(report));
  return tell(config, flags, report);
}

function lossesText(what: string, losses: readonly Pick<FoundLoss, "minute" | "events">[]): string {
  if (losses.length === 0) return "no event is missing for good: there is nothing to write off\n";
  return losses.map(({ minute, events }) => `${timeText(minute)} ${events} events ${what}\n`).join("");
}

/** Explains the minutes that were not compared and therefore not written off. */
function waitingText(report: AuditReport): string {
  if (report.outcome !== "not-comparable") return "";
  return "minutes that are named below are not written off: their events may still be on their way, or an object is damaged\n";
}

const timeText = (minute: number): string => new Date(minute * MINUTE_MS).toISOString();
