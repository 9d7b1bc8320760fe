// SPDX-License-Identifier: Apache-2.0
/** Viewmill's own processes and commands, as the demonstrations, the tests of clusters and the benches start them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { freePort, ServerProcess } from "../servers";

const CLI = join(__dirname, "..", "cli", "main.js");

/** A build's command line, and the configuration of a deployment as that build understands it. */
export interface Build {
  main: string;
  configFile: string;
}

export const thisBuild = (configFile: string) => (): Build => ({ main: CLI, configFile });

/**
 * One instance of Viewmill's programs, started as a user would: the command line with a configuration file. `build` is
 * asked at each start, so that a restart may be an upgrade.
 */
export function instance(
  name: string,
  folder: string,
  build: () => Build,
  [command, ...options]: readonly [command: string, ...options: string[]],
  url: string,
  env: Environment = {},
): ServerProcess {
  return new ServerProcess({
    name,
    folder,
    command: process.execPath,
    args: async () => [build().main, command, "--config", build().configFile, ...options],
    env: { METADATA_SERVER_DETECTION: "none", ...env },
    answers: async () => (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(10_000) })).ok,
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

/** The worker pool of a deployment, with its HTTP endpoint on this port. */
export const workerPoolProcess = (
  folder: string,
  build: () => Build,
  healthPort: number,
  env: Environment = {},
): ServerProcess =>
  instance(
    "worker-pool",
    folder,
    build,
    ["worker-pool", "--health-port", String(healthPort)],
    `http://127.0.0.1:${healthPort}`,
    env,
  );

/** An archiver of a deployment, on a free port. */
export async function archiverProcess(
  name: string,
  folder: string,
  build: () => Build,
  env: Environment = {},
): Promise<ServerProcess> {
  const port = String(await freePort());
  return instance(name, folder, build, ["archive", "--health-port", port], `http://127.0.0.1:${port}`, env);
}

export interface StackProcesses {
  serves: ServerProcess[];
  archivers: ServerProcess[];
  pool: ServerProcess;
  /** The ports of the services. */
  ports: number[];
  /** The address of the service, or of the proxy in front of several. */
  serveUrl: string;
  poolUrl: string;
  poolAddress: string;
}

/** Creates services, archivers and a worker pool of a deployment, on free ports, without starting them. */
export async function stackProcesses(
  folder: string,
  build: () => Build,
  { instances, poolPort, env = {} }: { instances: number; poolPort: number; env?: Environment },
): Promise<StackProcesses> {
  const [serves, archivers, ports]: [ServerProcess[], ServerProcess[], number[]] = [[], [], []];
  for (let n = 1; n <= instances; n++) {
    const suffix = n === 1 ? "" : `-${n}`;
    const port = await freePort();
    const serve = ["serve", "--port", String(port)] as const;
    ports.push(port);
    serves.push(instance(`serve${suffix}`, folder, build, serve, `http://127.0.0.1:${port}`, env));
    archivers.push(await archiverProcess(`archiver${suffix}`, folder, build, env));
  }
  const health = await freePort();
  return {
    serves,
    archivers,
    pool: workerPoolProcess(folder, build, health, env),
    ports,
    serveUrl: `http://127.0.0.1:${ports[0]}`,
    poolUrl: `http://127.0.0.1:${health}`,
    poolAddress: `127.0.0.1:${poolPort}`,
  };
}
