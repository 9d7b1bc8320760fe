// SPDX-License-Identifier: Apache-2.0
/** `npm run servers -- up | down | status | fetch`. */
import { spawn } from "node:child_process";
import { closeSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Argument, Command } from "commander";
import { fetchServers } from "./fetch-servers";
import { logTail } from "./log-tail";
import { DEFAULT_STATE_FOLDER, type Holding, RunningServers, startOf } from "./running";
import { type Addresses, answers, environmentFor } from "./stack";
import { missingTools, SERVER_NAMES, type ServerName } from "./tools";

const UP_DEADLINE_MS = 10 * 60_000;
const DOWN_DEADLINE_MS = 60_000;
const POLL_MS = 100;

let state: RunningServers;

const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, POLL_MS));

const running = (): [ServerName, Addresses][] =>
  state.holdings().flatMap(({ servers }) => Object.entries(servers) as [ServerName, Addresses][]);

async function fetchAll(names: readonly ServerName[]): Promise<void> {
  const missing = missingTools(names);
  if (missing.length > 0) throw new Error(`not found on this machine: ${missing.join(", ")}`);
  await fetchServers(names, (what) => console.log(`fetching or found: ${what}`));
}

async function up(chosen: readonly ServerName[]): Promise<void> {
  const there = new Set(running().map(([name]) => name));
  const names = (chosen.length === 0 ? SERVER_NAMES : chosen).filter((name) => !there.has(name));
  if (names.length > 0) {
    await fetchAll(names);
    await startHolder(names);
  }
  await status();
  console.log("\nto use them:");
  for (const [name, addresses] of running())
    for (const [variable, value] of Object.entries(environmentFor(name, addresses)))
      console.log(`export ${variable}=${value}`);
}

async function startHolder(names: readonly ServerName[]): Promise<void> {
  const starting = state.logFileFor(process.pid);
  const log = openSync(starting, "w");
  const holder = spawn(process.execPath, [join(__dirname, "holder.js"), state.folder, ...names], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  holder.unref();
  const pid = holder.pid!;
  renameSync(starting, state.logFileFor(pid));
  let over = false;
  holder.once("exit", () => {
    over = true;
  });
  console.log(`starting ${names.join(", ")}`);
  const endsAt = performance.now() + UP_DEADLINE_MS;
  while (!state.holdings().some((each) => each.pid === pid && each.ready)) {
    if (over || performance.now() > endsAt) {
      if (!over) await end({ pid });
      const why = logTail(state.logFileFor(pid));
      state.forget(pid);
      throw new Error(`the servers did not come up\n${why}`);
    }
    await wait();
  }
}

async function down(): Promise<void> {
  const all = state.holdings();
  await Promise.all(all.map(end));
  const names = all.flatMap(({ servers }) => Object.keys(servers));
  console.log(names.length === 0 ? "nothing was up" : `down: ${names.join(", ")}`);
}

async function end({ pid }: Pick<Holding, "pid">): Promise<void> {
  const started = startOf(pid);
  if (started === undefined) return;
  process.kill(pid, "SIGTERM");
  const endsAt = performance.now() + DOWN_DEADLINE_MS;
  while (startOf(pid) === started) {
    // Its keeper ends the servers of a holder that was killed.
    if (performance.now() > endsAt) process.kill(pid, "SIGKILL");
    await wait();
  }
  state.forget(pid);
}

async function status(): Promise<void> {
  const there = new Map(running());
  for (const name of SERVER_NAMES) {
    const addresses = there.get(name);
    const state = addresses === undefined ? "not up" : await ask(name, addresses);
    const where = Object.entries(addresses ?? {}).map(([key, value]) => `${key} ${value}`);
    console.log([name.padEnd(12), state.padEnd(14), ...where].join(" ").trimEnd());
  }
}

const ask = (name: ServerName, addresses: Addresses): Promise<string> =>
  answers(name, addresses).then(
    (yes) => (yes ? "answers" : "not ready"),
    () => "does not answer",
  );

const names = new Argument("[names...]", "which; default all").choices([...SERVER_NAMES]);
const program = new Command("servers")
  .option("--state <folder>", "where it is noted what is up", DEFAULT_STATE_FOLDER)
  .hook("preAction", () => {
    state = new RunningServers(program.opts<{ state: string }>().state);
  })
  .description("Real servers and official emulators, for tests and for trying things out.");
program.command("up").description("start them, and leave them running").addArgument(names).action(up);
program.command("down").description("stop what `up` started, and remove its data").action(down);
program.command("status").description("which answer, and where").action(status);
program
  .command("fetch")
  .description("only fetch and build what they are made of")
  .addArgument(names)
  .action(fetchNamed);

async function fetchNamed(chosen: readonly ServerName[]): Promise<void> {
  await fetchAll(chosen.length === 0 ? SERVER_NAMES : chosen);
}

program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
