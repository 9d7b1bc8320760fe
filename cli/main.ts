#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import * as audit from "./audit";
import * as config from "./config";
import { ConfigError } from "./config";
import { commandLine } from "./environment";
import * as serve from "./serve";

/** Errors whose message says all there is to say. */
const CLEAR = new Set([
  "ConfigError",
  "DataFolderError",
  "StoreUnavailableError",
  "SchemaVersionError",
  "ServeError",
  "LogFullError",
]);

const { version } = JSON.parse(readFileSync(join(__dirname, "..", "..", "package.json"), "utf8")) as {
  version: string;
};

async function main(): Promise<void> {
  const program = new Command("viewmill")
    .description("Counts what happens to videos exactly and live, and keeps proving that the numbers are right.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(--help shows what there is)");
  for (const command of [serve, audit, config]) command.register(program);
  await program.parseAsync([...commandLine()]);
}

main().catch((error: unknown) => {
  const clear = error instanceof Error && (CLEAR.has(error.name) || error instanceof ConfigError);
  process.stderr.write(`viewmill: ${clear ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
