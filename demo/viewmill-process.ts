// SPDX-License-Identifier: Apache-2.0
/** Viewmill's own processes and commands, as the demonstrations, the tests of clusters and the benches start them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, ServerProcess } from "../servers";

const CLI = join(__dirname, "..", "cli", "main.js");

/** One of Viewmill's own processes, started as a user would: the command line with a configuration file. */
export function viewmillProcess(
  name: string,
  folder: string,
  args: readonly string[],
  healthUrl: string,
  env: Readonly<Record<string, string>> = {},
): ServerProcess {
  return new ServerProcess({
    name,
    folder,
    command: process.execPath,
    args: [CLI, ...args],
    env: { METADATA_SERVER_DETECTION: "none", ...env },
    answers: async () => (await fetch(healthUrl, { signal: AbortSignal.timeout(2_000) })).ok,
  });
}

/**
 * Runs one command of the command line to its end. This process continues meanwhile, because it may run a server that
 * the command needs.
 */
export function viewmillCommand(...args: string[]): Promise<CommandResult> {
  return viewmillCommandIn({}, ...args);
}

interface CommandResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command with more variables, through `env`, because the command inherits this process's. */
export async function viewmillCommandIn(env: Environment, ...args: string[]): Promise<CommandResult> {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const child =
    settings.length === 0
      ? spawn(process.execPath, [CLI, ...args])
      : spawn("env", [...settings, process.execPath, CLI, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

type Environment = Readonly<Record<string, string>>;

/** The worker pool of a configuration file, with its HTTP endpoint on this port. */
export const workerPoolProcess = (
  folder: string,
  configFile: string,
  healthPort: number,
  env: Environment = {},
): ServerProcess =>
  viewmillProcess(
    "worker-pool",
    folder,
    ["worker-pool", "--config", configFile, "--health-port", String(healthPort)],
    `http://127.0.0.1:${healthPort}/healthz`,
    env,
  );

/** An archiver of a configuration file, with its HTTP endpoint on this port. */
export const archiverProcess = (
  name: string,
  folder: string,
  configFile: string,
  healthPort: number,
  env: Environment = {},
): ServerProcess =>
  viewmillProcess(
    name,
    folder,
    ["archive", "--config", configFile, "--health-port", String(healthPort)],
    `http://127.0.0.1:${healthPort}/healthz`,
    env,
  );

export interface StackProcesses {
  serve: ServerProcess;
  archiver: ServerProcess;
  pool: ServerProcess;
  serveUrl: string;
  archiverUrl: string;
  poolUrl: string;
  poolAddress: string;
}

/** Creates service, archiver and worker pool of a configuration, on free ports, without starting them. */
export async function stackProcesses(
  folder: string,
  configFile: string,
  poolPort: number,
  env: Environment = {},
): Promise<StackProcesses> {
  const [serve, archiver, health] = [await freePort(), await freePort(), await freePort()];
  const serveUrl = `http://127.0.0.1:${serve}`;
  const archiverUrl = `http://127.0.0.1:${archiver}`;
  const poolUrl = `http://127.0.0.1:${health}`;
  const config = ["--config", configFile];
  return {
    serve: viewmillProcess("serve", folder, ["serve", ...config, "--port", String(serve)], `${serveUrl}/healthz`, env),
    archiver: archiverProcess("archiver", folder, configFile, archiver, env),
    pool: workerPoolProcess(folder, configFile, health, env),
    serveUrl,
    archiverUrl,
    poolUrl,
    poolAddress: `127.0.0.1:${poolPort}`,
  };
}
