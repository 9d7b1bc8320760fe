import type { Command } from "commander";
import { ConfigError, resolveConfig } from "./config";
import { bigtableLocation } from "./deployment/open-counters";

export function register(program: Command): void {
  program
    .command("bigtable")
    .description("the tables of counters and ledger in Bigtable")
    .command("init")
    .description("create the tables and column families that are missing; what exists stays as it is")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const config = resolveConfig(command);
      if (config.counters.kind !== "bigtable") throw new ConfigError("counters.kind is not bigtable");
      const { createTables } = await import("../io/bigtable/tables.js");
      const tables = await createTables(bigtableLocation(config));
      if (json === true) process.stdout.write(`${JSON.stringify(tables)}\n`);
      else for (const { name, outcome } of tables) process.stdout.write(`${outcome.padEnd(14)}  ${name}\n`);
    });
}
