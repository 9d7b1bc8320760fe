// SPDX-License-Identifier: Apache-2.0
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { Granularity, RollUpFolder } from "../../io/ports";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { type ExportedFile, exportCells } from "../../pipelines/export/export-cells";
import { bucketStates } from "../../query-api/bucket-state";
import { readFreshness } from "../../query-api/freshness";
import { asBuckets } from "../../query-api/range";
import { rfc3339Time } from "../arguments/rfc3339-time";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import type { Config, Settings } from "../config/schema";
import { openDeployment, rawRetentionMs, usesDataFolder } from "../deployment/deployment";

interface Flags {
  from: number;
  to: number;
  granularity: Granularity;
  out: string;
  json?: boolean;
}

const UNIT_MS: Readonly<Record<Granularity, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };
const GCS = /^gs:\/\/([^/]+)\/?(.*)$/;

export function register(program: Command): void {
  program
    .command("export")
    .description("write counters as Parquet, files by day, with the state and the revision of each")
    .requiredOption("--from <time>", "RFC 3339, inclusive, widened to whole buckets", rfc3339Time)
    .requiredOption("--to <time>", "RFC 3339, exclusive, widened to whole buckets", rfc3339Time)
    .addOption(
      new Option("--granularity <unit>", "of the buckets, of UTC").choices(["minute", "hour", "day"]).default("hour"),
    )
    .requiredOption("--out <place>", "a directory, or gs://BUCKET/FOLDER", place)
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print the files as JSON")
    .action(async (flags: Flags, command: Command) => {
      const config = resolveConfig(command);
      if (flags.from >= flags.to) throw new ConfigError("--from must be before --to");
      if (usesDataFolder(config)) requireDataFolder(config.data);
      const files = await exported(config, flags);
      process.stdout.write(flags.json === true ? `${JSON.stringify(files)}\n` : told(files, flags.out));
    });
}

function place(text: string): string {
  if (text === "" || (text.includes("://") && !GCS.test(text)))
    throw new InvalidArgumentError("a directory or gs://BUCKET/FOLDER is wanted");
  return text;
}

async function exported(config: Config, { from, to, granularity, out }: Flags): Promise<ExportedFile[]> {
  const deployment = await openDeployment(config);
  try {
    const { counters, ledger, progress, tiering } = deployment;
    const horizons = {
      finalAfterMs: config.lateness.finalAfterMinutes * MINUTE_MS,
      rawRetentionMs: rawRetentionMs(config),
    };
    const statesOf = async (edges: readonly number[]) => {
      const freshness = await readFreshness({ progress, clock: Date.now });
      return bucketStates(asBuckets(granularity, edges), { ledger, ...horizons }, freshness);
    };
    const unitMs = UNIT_MS[granularity];
    const range = { granularity, fromMs: Math.floor(from / unitMs) * unitMs, toMs: Math.ceil(to / unitMs) * unitMs };
    const files: ExportedFile[] = [];
    const deps = { counters, out: await openOut(config, out), statesOf, tiers: tiering.tiers };
    for await (const file of exportCells(deps, range)) files.push(file);
    return files;
  } finally {
    await deployment.close();
  }
}

async function openOut({ gcs }: Settings<"gcs">, out: string): Promise<RollUpFolder> {
  const [, bucket, prefix = ""] = GCS.exec(out) ?? [];
  if (bucket === undefined) {
    const { DirectoryRollUps } = await import("../../io/directory/roll-up-folder.js");
    return new DirectoryRollUps({ folder: resolve(out) });
  }
  const { GcsRollUps } = await import("../../io/gcs/roll-up-folder.js");
  return new GcsRollUps({ bucket, prefix, ...(gcs.endpoint === "" ? {} : { endpoint: gcs.endpoint }) });
}

function told(files: readonly ExportedFile[], out: string): string {
  const cells = files.reduce((sum, file) => sum + file.cells, 0);
  return `${cells} cells in ${files.length} files under ${out}\n`;
}
