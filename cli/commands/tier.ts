// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { DAY_MS } from "../../domain/rules/time";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { type Expired, expireOld } from "../../pipelines/tier/expire-books";
import { type Packed, packAudited } from "../../pipelines/tier/pack-archive";
import { type Rolled, rollUpAll } from "../../pipelines/tier/roll-up";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import { bookRetention, cellRetention } from "../config/retention-days";
import type { Settings } from "../config/schema";
import { type Deployment, usesDataFolder } from "../deployment/deployment";
import { withCellsKept } from "../deployment/with-cells-kept";
import { asTable, shortTime } from "../reading/read-service";

interface Tiered {
  /** Whether cells of an earlier program were indexed. */
  indexed: boolean;
  rolled: Rolled[];
  packed: Packed;
  expired: Expired;
}

export function register(program: Command): void {
  program
    .command("tier")
    .description("move cells past their retention to roll-ups (Parquet), pack the archive, delete what is too old")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--index-anew", "build the indexes of Bigtable's counters again from the cells")
    .option("--json", "print what was done as JSON")
    .addHelpText("after", "\nBeside a running service or without one; what an earlier run began is ended first.")
    .action(async ({ json, indexAnew = false }: { json?: boolean; indexAnew?: boolean }, command: Command) => {
      const config = resolveConfig(command);
      if (indexAnew && config.counters.kind !== "bigtable")
        throw new ConfigError(`--index-anew: counters.kind is ${config.counters.kind}, not bigtable`);
      if (usesDataFolder(config)) requireDataFolder(config.data);
      const tiered = await withCellsKept(config, (deployment) => tier(config, deployment, indexAnew));
      process.stdout.write(json === true ? `${JSON.stringify(rows(tiered))}\n` : text(tiered));
    });
}

async function tier(
  config: Settings<"counters" | "data" | "lateness" | "log" | "retention">,
  deployment: Deployment,
  indexAnew: boolean,
): Promise<Tiered> {
  const { tiering, archive, ledger, deadLetters, books } = deployment;
  const { minuteDays, hourDays } = cellRetention(config);
  const clock = Date.now;
  const indexed = (await tiering.completeIndexes?.({ anew: indexAnew })) ?? false;
  const rolled = await rollUpAll(
    { counters: tiering.store, tiers: tiering.tiers, folder: tiering.folder, archive, ledger, clock },
    { minutesMs: minuteDays * DAY_MS, hoursMs: hourDays * DAY_MS },
  );
  const packed = await packAudited({ archive, ledger, clock });
  const { ledgerDays, auditDays, deadLetterDays } = bookRetention(config);
  const ages = { ledgerMs: ledgerDays * DAY_MS, auditsMs: auditDays * DAY_MS, deadLettersMs: deadLetterDays * DAY_MS };
  const expireAccepted = await forgetAccepted(config);
  const expired = await expireOld({ books, expireAccepted, deadLetters, clock }, ages);
  return { indexed, rolled, packed, expired };
}

async function forgetAccepted({
  log,
  data,
}: Settings<"data" | "log">): Promise<((beforeMinute: number) => Promise<void>) | undefined> {
  if (log.kind !== "embedded") return undefined;
  const { expireAccepted } = await import("../../io/sqlite/log-expiry.js");
  return (beforeMinute) => expireAccepted(data, beforeMinute);
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

const isAnything = (done: object): boolean => Object.values(done).some((number) => number > 0);

function rows({ indexed, rolled, packed, expired }: Tiered): object[] {
  return [
    ...(indexed ? [{ level: "indexes", outcome: "completed" }] : []),
    ...rolled.map(({ fromMs, toMs, ...rest }) => ({ from: iso(fromMs), to: iso(toMs), ...rest })),
    ...(isAnything(packed) ? [{ level: "archive", outcome: "packed", ...packed }] : []),
    ...(isAnything(expired) ? [{ level: "books", outcome: "deleted", ...expired }] : []),
  ];
}

function text(tiered: Tiered): string {
  const { indexed, rolled, packed, expired } = tiered;
  if (rows(tiered).length === 0) return "nothing is past its retention\n";
  const lines = [
    ...(indexed ? ["indexes: what an earlier program counted is ranked and listed now"] : []),
    ...(isAnything(packed) ? [`archive: ${packed.objects} objects of ${packed.hours} hours packed`] : []),
    ...(isAnything(expired)
      ? [`deleted: books of ${expired.minutes} minutes, ${expired.audits} audits, ${expired.letters} dead letters`]
      : []),
  ].map((line) => `${line}\n`);
  return (rolled.length === 0 ? "" : table(rolled)) + lines.join("");
}

function table(rolled: readonly Rolled[]): string {
  const ranges = rolled.map(({ level, fromMs, toMs, outcome, cells, files, objects }) => [
    `${level}s`,
    shortTime(iso(fromMs)),
    shortTime(iso(toMs)),
    outcome,
    cells,
    files,
    objects,
  ]);
  return asTable(["level", "from", "to", "outcome", "cells", "files", "raw objects deleted"], ranges);
}
