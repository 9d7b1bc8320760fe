import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import type { AuditReport } from "../io/ports";
import { runAudit } from "../pipelines/audit/audit";
import { archiveFile } from "../pipelines/backfill/archive-file";
import { countHours } from "../pipelines/backfill/count-hours";
import { exitCode } from "./audit";
import { resolveConfig } from "./config";
import { boundedCounting } from "./deployment/bounded-counting";
import { allowedLatenessMs, type Deployment, openDeployment } from "./deployment/deployment";
import { fileSizeBytes } from "./input-file";

const MINUTE_MS = 60_000;
const EXIT_REJECTED = 1;

export function register(program: Command): void {
  program
    .command("backfill")
    .description("count old events (any age) from NDJSON files: archive them, count, then audit with repair")
    .argument("<files...>", "NDJSON files, one event a line, each with its eventTime")
    .option("--data <dir>", "data folder of the deployment; the service may be running on it")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nBackfilling the same file again changes nothing. Exit status: 0 all counted, 1 some lines rejected (see dead-letters), 3 and 4 as for audit.",
    )
    .action(backfill);
}

async function backfill(files: string[], flags: { json?: boolean }, command: Command): Promise<void> {
  const config = resolveConfig(command);
  const sizes = files.map(fileSizeBytes);
  const deployment = await openDeployment(config);
  const bar = new SingleBar(
    { format: "{step} {bar} {percentage}%", clearOnComplete: true, noTTYOutput: false },
    undefined,
  );
  try {
    const minutes = new Set<number>();
    let [accepted, rejected] = [0, 0];
    bar.start(
      sizes.reduce((sum, size) => sum + size, 0),
      0,
      { step: "archiving" },
    );
    for (const file of files) {
      const result = await archiveFile(file, { ...deployment, clock: Date.now }, (bytes) => bar.increment(bytes));
      accepted += result.accepted;
      rejected += result.rejected;
      for (const minute of result.minutes) minutes.add(minute);
    }
    bar.start(1, 0, { step: "counting" });
    // A cluster's stream reads the log alone: what is beside it the audit counts.
    if (allowedLatenessMs(config) < 0)
      await countHours(deployment, minutes, boundedCounting(config), (done, of) => {
        bar.setTotal(of);
        bar.update(done);
      });
    bar.stop();
    const report = minutes.size === 0 ? undefined : await audited(deployment, minutes);
    print({ accepted, rejected, minutes: minutes.size, audit: report?.outcome ?? "equal" }, flags.json === true);
    process.exitCode = (report === undefined ? 0 : exitCode(report)) || (rejected > 0 ? EXIT_REJECTED : 0);
  } finally {
    bar.stop();
    await deployment.close();
  }
}

function audited(deployment: Deployment, minutes: ReadonlySet<number>): Promise<AuditReport> {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const minute of minutes) {
    first = Math.min(first, minute);
    last = Math.max(last, minute);
  }
  return runAudit(
    { ...deployment, clock: Date.now },
    {
      fromMs: first * MINUTE_MS,
      toMs: (last + 1) * MINUTE_MS,
      repair: true,
      allowedLatenessMs: allowedLatenessMs(deployment.config),
    },
  );
}

function print(result: { accepted: number; rejected: number; minutes: number; audit: string }, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const { accepted, rejected, minutes, audit } = result;
    process.stdout.write(`accepted ${accepted}, rejected ${rejected}, in ${minutes} minutes; audit: ${audit}\n`);
  }
}
