// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import { bigtableLocation } from "../deployment/open-counters";
import { type InitFlags, initOptions, report } from "./place-report";

export function register(program: Command): void {
  const init = program
    .command("bigtable")
    .description("the tables of counters and ledger in Bigtable")
    .command("init")
    .description("create the tables and column families that are missing; what exists stays as it is");
  initOptions(init).action(async ({ check, json }: InitFlags, command: Command) => {
    const config = resolveConfig(command);
    if (config.counters.kind !== "bigtable")
      throw new ConfigError(`counters.kind is ${config.counters.kind}, not bigtable`);
    if (check === true) {
      const { tablePlaces } = await import("../../io/bigtable/table-places.js");
      report(await tablePlaces(bigtableLocation(config)), json);
      return;
    }
    const { createTables } = await import("../../io/bigtable/tables.js");
    const tables = await createTables(bigtableLocation(config));
    if (json === true) process.stdout.write(`${JSON.stringify(tables)}\n`);
    else for (const { name, outcome } of tables) process.stdout.write(`${outcome.padEnd(14)}  ${name}\n`);
  });
}
