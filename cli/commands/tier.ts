// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { DAY_MS } from "../../domain/rules/time";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { type Rolled, rollUpAll } from "../../pipelines/tier/roll-up";
import { ConfigError, resolveConfig } from "../config/load";
import { type Config, cellRetention } from "../config/schema";
import { usesDataFolder } from "../deployment/deployment";
import { withCellsKept } from "../deployment/with-cells-kept";
import { asTable, shortTime } from "../reading/read-service";

export function register(program: Command): void {
  program
    .command("tier")
    .description("move minutes and hours past their retention to roll-ups (Parquet), and delete their raw events")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print what was done as JSON")
    .addHelpText("after", "\nBeside a running service or without one; what an earlier run began is ended first.")
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const config = resolveConfig(command);
      if (usesDataFolder(config)) requireDataFolder(config.data);
      const rolled = await tier(config);
      process.stdout.write(json === true ? `${JSON.stringify(rolled.map(shown))}\n` : table(rolled));
    });
}

function tier(config: Config): Promise<Rolled[]> {
  return withCellsKept(config, async ({ tiering, archive, ledger }) => {
    if (tiering === undefined)
      throw new ConfigError(
        `counters.kind ${config.counters.kind}: its cells stay in the store, there is nothing to do`,
      );
    const { minuteDays, hourDays } = cellRetention(config);
    return rollUpAll(
      { counters: tiering.store, tiers: tiering.tiers, folder: tiering.folder, archive, ledger, clock: Date.now },
      { minutesMs: minuteDays * DAY_MS, hoursMs: hourDays * DAY_MS },
    );
  });
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
const shown = ({ fromMs, toMs, ...rest }: Rolled) => ({ from: iso(fromMs), to: iso(toMs), ...rest });

function table(rolled: readonly Rolled[]): string {
  if (rolled.length === 0) return "nothing is past its retention\n";
  const rows = rolled.map(({ level, fromMs, toMs, outcome, cells, files, objects }) => [
    `${level}s`,
    shortTime(iso(fromMs)),
    shortTime(iso(toMs)),
    outcome,
    cells,
    files,
    objects,
  ]);
  return asTable(["level", "from", "to", "outcome", "cells", "files", "raw objects deleted"], rows);
}
