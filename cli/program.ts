import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { commandLine } from "./environment";
import { oneLineOf } from "./one-line";
import { outliveClosedOutput } from "./output";

/** Only the module of the command asked for is loaded: `serve` must not carry the pipelines in its memory. */
const COMMANDS: Record<string, () => Promise<{ register(program: Command): void }>> = {
  serve: () => import("./serve.js"),
  send: () => import("./send.js"),
  backfill: () => import("./backfill.js"),
  pipeline: () => import("./pipeline.js"),
  archive: () => import("./archive.js"),
  kafka: () => import("./kafka.js"),
  pubsub: () => import("./pubsub.js"),
  storage: () => import("./storage.js"),
  bigtable: () => import("./bigtable.js"),
  "worker-pool": () => import("./worker-pool.js"),
  audit: () => import("./audit.js"),
  "dead-letters": () => import("./dead-letters.js"),
  generate: () => import("./generate.js"),
  plan: () => import("./plan.js"),
  counts: () => import("./counts.js"),
  top: () => import("./top.js"),
  ledger: () => import("./ledger.js"),
  config: () => import("./config.js"),
};

const { version } = JSON.parse(readFileSync(join(__dirname, "..", "..", "package.json"), "utf8")) as {
  version: string;
};

async function parsed(): Promise<void> {
  const program = new Command("viewmill")
    .description("Counts what happens to videos exactly and live, and keeps proving that the numbers are right.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(--help shows what there is)");
  const asked = commandLine()[2] ?? "";
  const wanted = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]!] : Object.values(COMMANDS);
  for (const load of wanted) (await load()).register(program);
  await program.parseAsync([...commandLine()]);
}

/** Runs the command that the arguments name. */
export async function run(): Promise<void> {
  outliveClosedOutput();
  try {
    await parsed();
  } catch (error) {
    process.stderr.write(`viewmill: ${oneLineOf(error) ?? (error instanceof Error ? error.stack : String(error))}\n`);
    process.exit(1);
  }
}
