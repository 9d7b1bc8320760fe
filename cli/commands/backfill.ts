// SPDX-License-Identifier: Apache-2.0
import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { backfill } from "../../pipelines/backfill/backfill";
import { fileSizeBytes } from "../arguments/input-file";
import { resolveConfig } from "../config/resolve";
import { boundedCounting } from "../deployment/bounded-counting";
import { allowedLatenessMs, intakeLimits, openDeployment } from "../deployment/deployment";
import { knownEventTypes } from "../deployment/open-event-types";
import { exitCode } from "./audit";

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
    .action(run);
}

async function run(files: string[], flags: { json?: boolean }, command: Command): Promise<void> {
  const config = resolveConfig(command);
  const sizes = files.map(fileSizeBytes);
  const deployment = await openDeployment(config);
  const bar = new SingleBar(
    { format: "{step} {bar} {percentage}%", clearOnComplete: true, noTTYOutput: false },
    undefined,
  );
  try {
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    bar.start(totalBytes, 0, { step: "archiving" });
    const eventTypes = knownEventTypes(deployment, config);
    const deps = { ...deployment, clock: Date.now, limits: intakeLimits(config), eventTypes };
    const { report, ...counted } = await backfill(files, deps, {
      counting: await boundedCounting(config, deployment),
      allowedLatenessMs: allowedLatenessMs(config),
      onArchived: (bytes) => bar.increment(bytes),
      onCounted: (done, of) => {
        bar.start(of, done, { step: "counting" });
      },
    });
    bar.stop();
    print({ ...counted, audit: report?.outcome ?? NOTHING_AUDITED }, flags.json === true);
    process.exitCode = (report === undefined ? 0 : exitCode(report)) || (counted.rejected > 0 ? EXIT_REJECTED : 0);
  } finally {
    bar.stop();
    await deployment.close();
  }
}

/** Without an accepted event there is no minute to audit. */
const NOTHING_AUDITED = "nothing to audit";

function print(result: { accepted: number; rejected: number; minutes: number; audit: string }, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const { accepted, rejected, minutes, audit } = result;
    process.stdout.write(`accepted ${accepted}, rejected ${rejected}, in ${minutes} minutes; audit: ${audit}\n`);
  }
}
