// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run bench`: measures, prints a table, and with --json writes the whole report. Exit 1 only where something could
 * not be measured.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { commandLine } from "../cli/environment";
import { benchParameters, FLINK_SCENARIOS, type FlinkScenario } from "./parameters";
import { writePage } from "./program";
import { asMarkdown, asTable } from "./report";
import { MEASUREMENTS, type RunOptions, runBench } from "./run-bench";

interface Flags {
  only: string[];
  events?: number;
  seed?: number;
  rate?: number;
  minutes?: number;
  scenarios?: FlinkScenario[];
  sameJvm?: boolean;
  quick?: boolean;
  growth?: boolean;
  json?: string;
  markdown?: string;
  profile?: string;
}

async function main(flags: Flags): Promise<void> {
  const options: RunOptions = {
    parameters: benchParameters(flags),
    only: flags.growth === true ? ["growth", "audit-growth"] : flags.only,
    onStart: ({ title }) => process.stderr.write(`${title} ...\n`),
  };
  if (flags.profile !== undefined) {
    mkdirSync(flags.profile, { recursive: true });
    options.profileFolder = flags.profile;
  }
  const report = await runBench(options);
  process.stdout.write(asTable(report));
  if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
  writePage(asMarkdown(report, `npm run bench -- ${commandLine().slice(2).join(" ")}`), flags.markdown);
  if (report.measurements.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

function integer(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError("a whole number of at least 1");
  return number;
}

// Through process.exit, whose listeners stop the service and remove the data.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const program = new Command("npm run bench --")
  .description("measures Viewmill on this machine beside baselines measured in the same run")
  .addOption(
    new Option("--only <names...>", "only these measurements; some run only when named (docs/bench.md)")
      .choices(MEASUREMENTS.map(({ name }) => name))
      .default([]),
  )
  .option("--events <n>", "events of the computing measurements, and of flink (default 5,000,000)", integer)
  .option("--seed <n>", "of the generated events (default 1)", integer)
  .option("--videos <n>", "videos among which the events are spread (default 100,000)", integer)
  .option("--rate <n>", "events a second of flink-sustained (default 160,000)", integer)
  .option("--minutes <n>", "minutes of memory (default 14), and of flink-sustained after its warm-up (3)", integer)
  .addOption(new Option("--scenarios <names...>", "topics of flink and flink-sustained").choices(FLINK_SCENARIOS))
  .option("--same-jvm", "flink: Viewmill's TaskManagers with the Java options of the native job's")
  .option("--growth", "only how the cost grows: events, videos and days of history x10")
  .option("--quick", "small sizes: whether it works, not how fast")
  .option("--json <file>", "write the report here")
  .option("--markdown <file>", "write the report here as a page, such as docs/bench/2026-11-29.md")
  .option("--profile <folder>", "leave a CPU profile of each task here")
  .action(main);

program.parseAsync([...commandLine()]).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
