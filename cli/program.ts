// SPDX-License-Identifier: Apache-2.0
/**
 * The program behind the command `viewmill`: it loads the asked command, runs it, and turns errors into exit codes.
 * cli/main.ts starts it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { commandLine } from "./environment";
import { oneLineOf } from "./one-line";
import { outliveClosedOutput } from "./output";

/** Only the module of the requested command is loaded: `serve` must not hold the pipelines in its memory. */
const COMMANDS: Record<string, () => Promise<{ register(program: Command): void }>> = {
  serve: () => import("./commands/serve.js"),
  send: () => import("./commands/send.js"),
  catalog: () => import("./commands/catalog.js"),
  backfill: () => import("./commands/backfill.js"),
  pipeline: () => import("./commands/pipeline.js"),
  archive: () => import("./commands/archive.js"),
  kafka: () => import("./commands/kafka.js"),
  pubsub: () => import("./commands/pubsub.js"),
  storage: () => import("./commands/storage.js"),
  bigtable: () => import("./commands/bigtable.js"),
  "worker-pool": () => import("./commands/worker-pool.js"),
  audit: () => import("./commands/audit.js"),
  books: () => import("./commands/books.js"),
  tier: () => import("./commands/tier.js"),
  export: () => import("./commands/export.js"),
  "dead-letters": () => import("./commands/dead-letters.js"),
  demo: () => import("./commands/demo.js"),
  generate: () => import("./commands/generate.js"),
  plan: () => import("./commands/plan.js"),
  canary: () => import("./commands/canary.js"),
  counts: () => import("./commands/counts.js"),
  top: () => import("./commands/top.js"),
  keys: () => import("./commands/keys.js"),
  webhooks: () => import("./commands/webhooks.js"),
  ledger: () => import("./commands/ledger.js"),
  config: () => import("./commands/config.js"),
};

const { version } = JSON.parse(readFileSync(join(__dirname, "..", "..", "package.json"), "utf8")) as {
  version: string;
};

/** Returns the program with the command that `asked` names; with every command where it names none. */
export async function programFor(asked: string): Promise<Command> {
  const program = new Command("viewmill")
    .description("Counts what happens to videos exactly and live, and keeps proving that the numbers are right.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(--help shows what there is)");
  const wanted = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]!] : Object.values(COMMANDS);
  for (const load of wanted) (await load()).register(program);
  return program;
}

/** Runs the command that the arguments name. */
export async function run(): Promise<void> {
  outliveClosedOutput();
  try {
    const words = [...commandLine()];
    await (await programFor(words[2] ?? "")).parseAsync(words);
  } catch (error) {
    process.stderr.write(`viewmill: ${oneLineOf(error) ?? (error instanceof Error ? error.stack : String(error))}\n`);
    process.exit(1);
  }
}
